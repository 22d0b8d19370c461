import type { FlowSchema } from '../../kube/generated/types.ts';

/** The order in which requests are matched: the lowest matchingPrecedence first, then by name. */
export function compareFlowSchemas(a: FlowSchema, b: FlowSchema): number {
  const difference = (a.spec?.matchingPrecedence ?? 0) - (b.spec?.matchingPrecedence ?? 0);
  if (difference !== 0) return difference;
  const [left = '', right = ''] = [a.metadata?.name, b.metadata?.name];
  return left < right ? -1 : left > right ? 1 : 0;
}
