import type { Namespace, NamespaceCondition } from '../../kube/generated/types.ts';
import type { ResourceType } from '../../kube/resources.ts';
import { timestampOf } from '../../kube/timestamp.ts';

/** What is left of one kind in a namespace that is being deleted. */
export interface Remaining {
  readonly type: ResourceType;
  readonly count: number;
  /** Finalizers of what is left, one entry for each object that has it. */
  readonly finalizers: readonly string[];
}

/** The conditions that tell why a namespace is still there, in the namespace controller's words. */
export function buildNamespaceConditions(
  { status }: Namespace,
  remaining: readonly Remaining[],
  now: number,
): readonly NamespaceCondition[] {
  const resources = remaining.map(({ type, count }) => `${groupResource(type)} has ${count} resource instances`).sort();
  const finalizers = countFinalizers(remaining);
  const wanted: readonly Omit<NamespaceCondition, 'lastTransitionTime'>[] = [
    facts('NamespaceDeletionDiscoveryFailure', 'False', [
      'ResourcesDiscovered',
      'All resources successfully discovered',
    ]),
    facts('NamespaceDeletionGroupVersionParsingFailure', 'False', [
      'ParsedGroupVersions',
      'All legacy kube types successfully parsed',
    ]),
    facts('NamespaceDeletionContentFailure', 'False', [
      'ContentDeleted',
      'All content successfully deleted, may be waiting on finalization',
    ]),
    resources.length > 0
      ? facts('NamespaceContentRemaining', 'True', [
          'SomeResourcesRemain',
          `Some resources are remaining: ${resources.join(', ')}`,
        ])
      : facts('NamespaceContentRemaining', 'False', ['ContentRemoved', 'All content successfully removed']),
    finalizers.length > 0
      ? facts('NamespaceFinalizersRemaining', 'True', [
          'SomeFinalizersRemain',
          `Some content in the namespace has finalizers remaining: ${finalizers.join(', ')}`,
        ])
      : facts('NamespaceFinalizersRemaining', 'False', [
          'ContentHasNoFinalizers',
          'All content-preserving finalizers finished',
        ]),
  ];
  return wanted.map((condition) => {
    const before = status?.conditions?.find(({ type }) => type === condition.type);
    const since = before?.status === condition.status ? before.lastTransitionTime : timestampOf(now);
    return { ...condition, lastTransitionTime: since };
  });
}

function facts(type: string, status: string, [reason, message]: readonly [string, string]) {
  return { type, status, reason, message };
}

function countFinalizers(remaining: readonly Remaining[]): readonly string[] {
  const counts = new Map<string, number>();
  for (const finalizer of remaining.flatMap(({ finalizers }) => finalizers))
    counts.set(finalizer, (counts.get(finalizer) ?? 0) + 1);
  return [...counts].map(([finalizer, count]) => `${finalizer} in ${count} resource instances`).sort();
}

function groupResource({ group, resource }: ResourceType): string {
  return group === '' ? `${resource}.` : `${resource}.${group}`;
}
