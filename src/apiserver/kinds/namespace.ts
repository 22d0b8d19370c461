import type { Namespace } from '../../kube/generated/types.ts';
import { resources } from '../../kube/resources.ts';
import { sameValue, withFields, withMetadata } from '../machinery/api-object.ts';
import { forbiddenError } from '../machinery/errors.ts';
import { printTime } from '../machinery/machinery.ts';
import type { Strategy } from '../machinery/strategy.ts';
import type { FieldCause } from '../schema/contract.ts';
import { invalid, invalidEach } from '../validation/field-errors.ts';
import { dns1123Label, qualifiedName } from '../validation/names.ts';
import { defineStrategy } from './define-strategy.ts';

const FINALIZER = 'kubernetes';
// What the admission plugin NamespaceLifecycle keeps.
const IMMORTAL: ReadonlySet<string> = new Set(['default', 'kube-system', 'kube-public']);
const NAME_LABEL = 'kubernetes.io/metadata.name';

/** Namespaces: deleting one only marks it; it goes when the last finalizer of its spec is taken off through `finalize`. */
export const namespaceStrategy: Strategy = defineStrategy<Namespace>({
  name: dns1123Label,
  returnsDeleted: true,
  create: (namespace) => {
    const finalizers = namespace.spec?.finalizers ?? [];
    const all = finalizers.includes(FINALIZER) ? finalizers : [...finalizers, FINALIZER];
    return withNameLabel({ ...namespace, spec: { ...namespace.spec, finalizers: all }, status: { phase: 'Active' } });
  },
  update: {
    prepare: (namespace, live) => withNameLabel(withFields(namespace, { status: live.status, spec: live.spec })),
  },
  subresources: {
    status: {
      prepare: (namespace, live) => withFields(namespace, { spec: live.spec }),
      validate: ({ status, metadata }) => validatePhase(status?.phase, metadata?.deletionTimestamp !== undefined),
    },
    finalize: {
      prepare: (namespace, live) => withFields(namespace, { status: live.status }),
      validate: ({ spec }) => validateFinalizers(spec?.finalizers ?? []),
    },
  },
  selectableFields: { 'status.phase': ({ status }) => status?.phase ?? '' },
  holdsDeletion: ({ spec }) => (spec?.finalizers?.length ?? 0) > 0,
  beforeDelete: (namespace, { clock }) => {
    const { name = '' } = namespace.metadata ?? {};
    if (IMMORTAL.has(name)) throw forbiddenError(resources.namespaces, name, 'this namespace may not be deleted');
    const held = (namespace.spec?.finalizers?.length ?? 0) > 0;
    if (namespace.metadata?.deletionTimestamp !== undefined) return held ? namespace : undefined;
    if (!held) return undefined;
    const marked = withMetadata(namespace, {
      deletionTimestamp: printTime(clock.now()),
      deletionGracePeriodSeconds: 0,
    });
    return { ...marked, status: { ...namespace.status, phase: 'Terminating' } };
  },
});

function withNameLabel(namespace: Namespace): Namespace {
  const { labels, name = '' } = namespace.metadata ?? {};
  return sameValue(labels?.[NAME_LABEL], name)
    ? namespace
    : withMetadata(namespace, { labels: { ...labels, [NAME_LABEL]: name } });
}

function validatePhase(phase: string | undefined, deleting: boolean): FieldCause[] {
  if (!deleting && phase !== 'Active')
    return [invalid('status.Phase', phase ?? '', "may only be 'Active' if `deletionTimestamp` is empty")];
  if (deleting && phase !== 'Terminating') {
    return [invalid('status.Phase', phase ?? '', "may only be 'Terminating' if `deletionTimestamp` is not empty")];
  }
  return [];
}

function validateFinalizers(finalizers: readonly string[]): FieldCause[] {
  return finalizers.flatMap((finalizer, i) => {
    const path = `spec.finalizers[${i}]`;
    const causes = invalidEach(path, finalizer, qualifiedName(finalizer));
    if (!finalizer.includes('/') && finalizer !== FINALIZER) {
      causes.push(invalid(path, finalizer, 'name is neither a standard finalizer name nor is it fully qualified'));
    }
    return causes;
  });
}
