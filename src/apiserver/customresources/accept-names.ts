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
  const { acceptedNames, conflict } = judgeNames(spec.names, status?.acceptedNames, takenNames(definition, all));
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

interface Judged {
  readonly acceptedNames: CustomResourceDefinitionNames;
  /** The last one. */
  readonly conflict: Conflict | undefined;
}

// Each name is accepted for itself; those in conflict stay what they were.
function judgeNames(
  wanted: CustomResourceDefinitionNames,
  accepted: CustomResourceDefinitionNames = { plural: '', kind: '' },
  { resources, kinds }: Taken,
): Judged {
  let conflict: Conflict | undefined;
  const isFree = (reason: string, names: readonly (string | undefined)[], taken: ReadonlySet<string>): boolean => {
    const used = names.filter((name) => name !== undefined && taken.has(name));
    if (used.length === 0) return true;
    const messages = used.map((name) => `${JSON.stringify(name)} is already in use`);
    conflict = { reason, message: messages.length === 1 ? messages[0]! : `[${messages.join(', ')}]` };
    return false;
  };
  const one = <K extends 'plural' | 'singular' | 'kind' | 'listKind'>(name: K, taken: ReadonlySet<string>) => {
    const reason = `${name[0]!.toUpperCase()}${name.slice(1)}Conflict`;
    const isOwn = wanted[name] === accepted[name];
    return isOwn || isFree(reason, [wanted[name]], taken) ? wanted[name] : accepted[name];
  };
  const plural = one('plural', resources) ?? '';
  const singular = one('singular', resources);
  const fresh = (wanted.shortNames ?? []).filter((name) => !accepted.shortNames?.includes(name));
  const shortNames = isFree('ShortNamesConflict', fresh, resources) ? wanted.shortNames : accepted.shortNames;
  const kind = one('kind', kinds) ?? '';
  const listKind = one('listKind', kinds);
  const { categories } = wanted;
  return { acceptedNames: { plural, singular, shortNames, kind, listKind, categories }, conflict };
}
