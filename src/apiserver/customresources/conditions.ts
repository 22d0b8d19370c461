import type { CustomResourceDefinition, CustomResourceDefinitionCondition } from '../../kube/generated/types.ts';

/** The definition with this condition; its time stays when its status does. */
export function withCondition(
  definition: CustomResourceDefinition,
  condition: CustomResourceDefinitionCondition,
  now: string,
): CustomResourceDefinition {
  const conditions = definition.status?.conditions ?? [];
  const known = conditions.find(({ type }) => type === condition.type);
  const lastTransitionTime = known?.status === condition.status ? known.lastTransitionTime : now;
  const next = { lastTransitionTime, ...condition };
  const others = known ? conditions.map((other) => (other === known ? next : other)) : [...conditions, next];
  return { ...definition, status: { ...definition.status, conditions: others } };
}

/** True when the condition is there with status True. */
export function hasCondition({ status }: CustomResourceDefinition, type: string): boolean {
  return status?.conditions?.some((condition) => condition.type === type && condition.status === 'True') ?? false;
}
