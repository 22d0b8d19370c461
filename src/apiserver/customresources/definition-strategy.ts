import type { CustomResourceDefinition, CustomResourceDefinitionVersion } from '../../kube/generated/types.ts';
import { defineStrategy, raiseGeneration } from '../kinds/define-strategy.ts';
import { withFields, withMetadata } from '../machinery/api-object.ts';
import { printTime } from '../machinery/machinery.ts';
import type { Strategy } from '../machinery/strategy.ts';
import { withCondition } from './conditions.ts';

/** Keeps a definition until all its objects are gone. */
export const CLEANUP_FINALIZER = 'customresourcecleanup.apiextensions.k8s.io';

let rules: typeof import('./validate-definition.ts') | undefined;

/** CustomResourceDefinitions: deleting one first deletes its objects. */
export const definitionStrategy: Strategy = defineStrategy<CustomResourceDefinition>({
  generation: true,
  load: async () => {
    rules ??= await import('./validate-definition.ts');
  },
  create: (definition) => withStoredVersion(withNames({ ...definition, status: emptyStatus })),
  validate: (definition) => rules!.validateDefinition(definition),
  warnings: (definition) => rules!.definitionWarnings(definition),
  update: {
    prepare: (definition, live) => {
      const named = withNames(withFields(definition, { status: live.status }));
      return withStoredVersion(raiseGeneration(named, live));
    },
    validate: (definition, live) => rules!.validateDefinitionUpdate(definition, live),
    warnings: (definition) => rules!.definitionWarnings(definition),
  },
  subresources: { status: { prepare: (definition, live) => ({ ...definition, spec: live.spec }) } },
  beforeDelete: (definition, { clock }) => {
    const { finalizers = [], deletionTimestamp } = definition.metadata ?? {};
    if (deletionTimestamp !== undefined) return finalizers.includes(CLEANUP_FINALIZER) ? definition : undefined;
    const now = printTime(clock.now());
    const marked = withMetadata(definition, {
      deletionTimestamp: now,
      finalizers: finalizers.includes(CLEANUP_FINALIZER) ? finalizers : [...finalizers, CLEANUP_FINALIZER],
    });
    const message = 'CustomResource deletion is in progress';
    return withCondition(
      marked,
      { type: 'Terminating', status: 'True', reason: 'InstanceDeletionInProgress', message },
      now,
    );
  },
});

const emptyStatus = { conditions: [], acceptedNames: { plural: '', kind: '' }, storedVersions: [] };

/** The version that is written. */
export function storageVersion({ spec }: CustomResourceDefinition): CustomResourceDefinitionVersion | undefined {
  return spec.versions.find(({ storage }) => storage);
}

function withNames(definition: CustomResourceDefinition): CustomResourceDefinition {
  const { spec } = definition;
  const { names } = spec;
  const singular = names.singular || names.kind.toLowerCase();
  const listKind = names.listKind || `${names.kind}List`;
  const conversion = spec.conversion ?? { strategy: 'None' };
  return { ...definition, spec: { ...spec, names: { ...names, singular, listKind }, conversion } };
}

function withStoredVersion(definition: CustomResourceDefinition): CustomResourceDefinition {
  const version = storageVersion(definition)?.name;
  const stored = definition.status?.storedVersions ?? [];
  if (version === undefined || stored.includes(version)) return definition;
  return { ...definition, status: { ...definition.status, storedVersions: [...stored, version] } };
}
