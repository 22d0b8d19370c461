import type { FlowSchema, FlowSchemaCondition } from '../../kube/generated/types.ts';

/** What the condition Dangling of a flow schema says about its priority level, without the time. */
export function danglingCondition(level: string, exists: boolean): FlowSchemaCondition {
  const start = `This FlowSchema references the PriorityLevelConfiguration object named ${JSON.stringify(level)}`;
  return exists
    ? { type: 'Dangling', status: 'False', reason: 'Found', message: `${start} and it exists` }
    : { type: 'Dangling', status: 'True', reason: 'NotFound', message: `${start} but there is no such object` };
}

/** True when the schema says that already. */
export function saysSo({ status }: FlowSchema, wanted: FlowSchemaCondition): boolean {
  const found = status?.conditions?.find(({ type }) => type === wanted.type);
  return found?.status === wanted.status && found?.reason === wanted.reason && found?.message === wanted.message;
}
