import type { ConfigMap, Event, Node, Secret, ServiceAccount } from '../../kube/generated/types.ts';
import { sameValue, withFields } from '../machinery/api-object.ts';
import type { Strategy } from '../machinery/strategy.ts';
import type { FieldCause } from '../schema/contract.ts';
import { forbidden, invalid, invalidEach, keyPath } from '../validation/field-errors.ts';
import { configMapKey } from '../validation/names.ts';
import { contentUpdate, defineStrategy, keepStatusUpdate, statusUpdate } from './define-strategy.ts';

const MAX_BYTES = 1024 * 1024;
const EVENT_TTL_SECONDS = 3600;

/** Nodes: the status stays when the node is updated, but a creation may bring one, as kubelets do. */
export const nodeStrategy: Strategy = defineStrategy<Node>({
  update: {
    prepare: (node, live) => withFields(node, { status: live.status }),
    validate: (node, live) => validateNodeUpdate(node, live),
  },
  subresources: { status: statusUpdate() },
  keepsStatusOnCreate: true,
  selectableFields: { 'spec.unschedulable': ({ spec }) => String(spec?.unschedulable ?? false) },
});

function validateNodeUpdate({ spec }: Node, { spec: live }: Node): FieldCause[] {
  const causes: FieldCause[] = [];
  const cidrs = live?.podCIDRs ?? [];
  if (cidrs.length > 0 && !sameValue(cidrs, spec?.podCIDRs ?? [])) {
    causes.push(forbidden('spec.podCIDRs', 'node updates may not change podCIDR except from "" to valid'));
  }
  if (live?.providerID && live.providerID !== spec?.providerID) {
    causes.push(forbidden('spec.providerID', 'node updates may not change providerID except from "" to valid'));
  }
  return causes;
}

/** ConfigMaps. */
export const configMapStrategy: Strategy = defineStrategy<ConfigMap>({
  validate: (configMap) => validateConfigMap(configMap),
  update: {
    prepare: (configMap) => configMap,
    validate: (configMap, live) => [...validateFrozen(configMap, live), ...validateConfigMap(configMap)],
  },
});

function validateConfigMap({ data = {}, binaryData = {} }: ConfigMap): FieldCause[] {
  const causes: FieldCause[] = [];
  let size = 0;
  for (const key of Object.keys(data)) {
    causes.push(...invalidEach(keyPath('data', key), key, configMapKey(key)));
    if (key in binaryData) causes.push(invalid(keyPath('data', key), key, 'duplicate of key present in binaryData'));
    size += Buffer.byteLength(data[key] ?? '');
  }
  for (const key of Object.keys(binaryData)) {
    causes.push(...invalidEach(keyPath('binaryData', key), key, configMapKey(key)));
    size += Buffer.byteLength(binaryData[key] ?? '', 'base64');
  }
  return size > MAX_BYTES ? [...causes, tooLarge('')] : causes;
}

const tooLarge = (field: string): FieldCause => ({
  reason: 'FieldValueTooLong',
  field,
  message: `Too long: may not be more than ${MAX_BYTES} bytes`,
});

interface Freezable {
  readonly immutable?: boolean | undefined;
  readonly data?: unknown;
  readonly binaryData?: unknown;
}

function validateFrozen(object: Freezable, live: Freezable): FieldCause[] {
  if (live.immutable !== true) return [];
  const detail = 'field is immutable when `immutable` is set';
  const causes: FieldCause[] = [];
  if (object.immutable !== true) causes.push(forbidden('immutable', detail));
  if (!sameValue(object.data ?? {}, live.data ?? {})) causes.push(forbidden('data', detail));
  if (!sameValue(object.binaryData ?? {}, live.binaryData ?? {})) causes.push(forbidden('binaryData', detail));
  return causes;
}

/** Secrets: stringData is folded into data. */
export const secretStrategy: Strategy = defineStrategy<Secret>({
  create: (secret) => foldStringData(secret),
  validate: (secret) => validateSecret(secret),
  update: {
    prepare: (secret, live) => foldStringData(secret.type ? secret : { ...secret, type: live.type }),
    validate: (secret, live) => [
      ...(secret.type === live.type ? [] : [invalid('type', secret.type ?? '', 'field is immutable')]),
      ...validateFrozen(secret, live),
      ...validateSecret(secret),
    ],
  },
  selectableFields: { type: ({ type }) => type ?? '' },
});

function foldStringData(secret: Secret): Secret {
  const { stringData, ...rest } = secret;
  if (stringData === undefined) return secret;
  const encoded = Object.entries(stringData).map(([key, text]) => [key, Buffer.from(text).toString('base64')]);
  return { ...rest, data: { ...rest.data, ...Object.fromEntries(encoded) } };
}

const requiredKeys: Readonly<Record<string, readonly string[]>> = {
  'kubernetes.io/tls': ['tls.crt', 'tls.key'],
  'kubernetes.io/dockercfg': ['.dockercfg'],
  'kubernetes.io/dockerconfigjson': ['.dockerconfigjson'],
  'kubernetes.io/ssh-auth': ['ssh-privatekey'],
};

function validateSecret({ data = {}, type = '' }: Secret): FieldCause[] {
  const causes = Object.keys(data).flatMap((key) => invalidEach(keyPath('data', key), key, configMapKey(key)));
  const size = Object.values(data).reduce((sum, value) => sum + Buffer.byteLength(value, 'base64'), 0);
  if (size > MAX_BYTES) causes.push(tooLarge('data'));
  for (const key of requiredKeys[type] ?? []) {
    if (!(key in data))
      causes.push({ reason: 'FieldValueRequired', field: keyPath('data', key), message: 'Required value' });
  }
  return causes;
}

/** ServiceAccounts. */
export const serviceAccountStrategy: Strategy = defineStrategy<ServiceAccount>({
  returnsDeleted: true,
  create: (account) => withFields(account, { secrets: undefined }),
});

/** Events: one store under core and events.k8s.io; they go by themselves after an hour. */
export const eventStrategy: Strategy = defineStrategy<Event>({
  createOnUpdate: true,
  garbageCollection: false,
  ttlSeconds: EVENT_TTL_SECONDS,
  validate: (event) => validateEvent(event),
  selectableFields: {
    'involvedObject.kind': ({ involvedObject }) => involvedObject?.kind ?? '',
    'involvedObject.namespace': ({ involvedObject }) => involvedObject?.namespace ?? '',
    'involvedObject.name': ({ involvedObject }) => involvedObject?.name ?? '',
    'involvedObject.uid': ({ involvedObject }) => involvedObject?.uid ?? '',
    'involvedObject.apiVersion': ({ involvedObject }) => involvedObject?.apiVersion ?? '',
    'involvedObject.resourceVersion': ({ involvedObject }) => involvedObject?.resourceVersion ?? '',
    'involvedObject.fieldPath': ({ involvedObject }) => involvedObject?.fieldPath ?? '',
    reason: ({ reason }) => reason ?? '',
    reportingComponent: ({ reportingComponent }) => reportingComponent ?? '',
    source: ({ source, reportingComponent }) => source?.component || reportingComponent || '',
    type: ({ type }) => type ?? '',
  },
});

function validateEvent({ metadata, involvedObject }: Event): FieldCause[] {
  const namespace = involvedObject?.namespace ?? '';
  const own = metadata?.namespace ?? '';
  if (namespace === '' && own !== '' && own !== 'default' && own !== 'kube-system') {
    return [invalid('involvedObject.namespace', namespace, 'does not match event.namespace')];
  }
  if (namespace !== '' && namespace !== own) {
    return [invalid('involvedObject.namespace', namespace, 'does not match event.namespace')];
  }
  return [];
}

/** Leases. */
export const leaseStrategy: Strategy = defineStrategy({ createOnUpdate: true, unconditionalUpdate: false });

/** Kinds whose generation counts changes of their content and that have no status. */
export const contentStrategy: Strategy = defineStrategy({ generation: true, update: contentUpdate() });

/** Kinds with a status and without a generation. */
export const plainStatusStrategy: Strategy = defineStrategy({
  update: keepStatusUpdate(),
  subresources: { status: statusUpdate() },
});
