import type { CustomResourceDefinition, CustomResourceDefinitionNames } from '../../kube/generated/types.ts';
import { hasCondition, withCondition } from './conditions.ts';

interface Conflict {
  readonly reason: string;
  readonly message: string;
}

/** The definition with its accepted names and the conditions NamesAccepted and Established, given all others of its group. */
export function acceptNames(
  definition: CustomResourceDefinition,
  all: readonly CustomResourceDefinition[],
  now: string,
): CustomResourceDefinition {
  const { spec, status } = definition;
  const taken = takenNames(definition, all);
  const conflict = firstConflict(spec.names, status?.acceptedNames, taken);
  const acceptedNames = conflict ? (status?.acceptedNames ?? { plural: '', kind: '' }) : spec.names;
  const accepted = conflict
    ? { type: 'NamesAccepted', status: 'False', ...conflict }
    : { type: 'NamesAccepted', status: 'True', reason: 'NoConflicts', message: 'no conflicts found' };
  const named = withCondition({ ...definition, status: { ...status, acceptedNames } }, accepted, now);
  if (hasCondition(named, 'Established')) return named;
  const established = conflict
    ? { type: 'Established', status: 'False', reason: 'NotAccepted', message: 'not all names are accepted' }
    : {
        type: 'Established',
        status: 'True',
        reason: 'InitialNamesAccepted',
        message: 'the initial names have been accepted',
      };
  return withCondition(named, established, now);
}

interface Taken {
  readonly resources: ReadonlySet<string>;
  readonly kinds: ReadonlySet<string>;
}

function takenNames(own: CustomResourceDefinition, all: readonly CustomResourceDefinition[]): Taken {
  const others = all.filter(
    ({ metadata, spec }) => metadata?.name !== own.metadata?.name && spec.group === own.spec.group,
  );
  const names = others.flatMap(({ status }) => (status?.acceptedNames ? [status.acceptedNames] : []));
  return {
    resources: new Set(
      names.flatMap(({ plural, singular, shortNames = [] }) => [plural, singular ?? '', ...shortNames]),
    ),
    kinds: new Set(names.flatMap(({ kind, listKind }) => [kind, listKind ?? ''])),
  };
}

function firstConflict(
  wanted: CustomResourceDefinitionNames,
  accepted: CustomResourceDefinitionNames | undefined,
  { resources, kinds }: Taken,
): Conflict | undefined {
  const checks: readonly (readonly [
    reason: string,
    value: string | undefined,
    own: string | undefined,
    taken: ReadonlySet<string>,
  ])[] = [
    ['PluralConflict', wanted.plural, accepted?.plural, resources],
    ['SingularConflict', wanted.singular, accepted?.singular, resources],
    ...(wanted.shortNames ?? []).map(
      (name) =>
        ['ShortNamesConflict', name, accepted?.shortNames?.includes(name) ? name : undefined, resources] as const,
    ),
    ['KindConflict', wanted.kind, accepted?.kind, kinds],
    ['ListKindConflict', wanted.listKind, accepted?.listKind, kinds],
  ];
  for (const [reason, value, own, taken] of checks) {
    if (value !== undefined && value !== own && taken.has(value)) {
      return { reason, message: `${JSON.stringify(value)} is already in use` };
    }
  }
  return undefined;
}
