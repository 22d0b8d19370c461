import type {
  ConfigMap,
  ControllerRevision,
  Event,
  Lease,
  LimitRange,
  Namespace,
  Node,
  PersistentVolume,
  PersistentVolumeClaim,
  PriorityClass,
  ResourceQuota,
  RuntimeClass,
  Secret,
  ServiceAccount,
  StorageClass,
} from '../../kube/generated/types.ts';
import type { KubeObject } from '../../kube/resources.ts';
import { defineColumns } from './define-columns.ts';
import { age } from './human-duration.ts';
import type { TableColumns } from './table-columns.ts';

/** Name and age: for kinds of which nothing more is known. */
export const plainColumns: TableColumns = defineColumns<KubeObject>(['Name', 'Age'], ({ metadata }, now) => [
  metadata?.name,
  age(metadata?.creationTimestamp, now),
]);

/** Name and the time of creation, as upstream prints kinds without columns of their own. */
export const createdAtColumns: TableColumns = {
  columns: [
    { name: 'Name', type: 'string', format: 'name', description: '', priority: 0 },
    { name: 'Created At', type: 'date', description: '', priority: 0 },
  ],
  cells: ({ metadata }) => [metadata?.name, metadata?.creationTimestamp],
};

export const namespaceColumns = defineColumns<Namespace>(['Name', 'Status', 'Age'], ({ metadata, status }, now) => [
  metadata?.name,
  status?.phase,
  age(metadata?.creationTimestamp, now),
]);

export const nodeColumns = defineColumns<Node>(
  [
    'Name',
    'Status',
    'Roles',
    'Age',
    'Version',
    '+Internal-IP',
    '+External-IP',
    '+OS-Image',
    '+Kernel-Version',
    '+Container-Runtime',
  ],
  (node, now) => {
    const { metadata, status } = node;
    const info = status?.nodeInfo;
    const address = (type: string): string =>
      status?.addresses?.find((candidate) => candidate.type === type)?.address ?? '<none>';
    return [
      metadata?.name,
      nodeStatus(node),
      nodeRoles(node),
      age(metadata?.creationTimestamp, now),
      info?.kubeletVersion ?? '',
      address('InternalIP'),
      address('ExternalIP'),
      info?.osImage || '<unknown>',
      `${info?.kernelVersion || '<unknown>'}${info?.architecture ? ` (${info.architecture})` : ''}`,
      info?.containerRuntimeVersion || '<unknown>',
    ];
  },
);

function nodeStatus({ spec, status }: Node): string {
  const ready = status?.conditions?.find(({ type }) => type === 'Ready');
  const text = ready === undefined ? 'Unknown' : ready.status === 'True' ? 'Ready' : 'NotReady';
  return spec?.unschedulable ? `${text},SchedulingDisabled` : text;
}

function nodeRoles({ metadata }: Node): string {
  const prefix = 'node-role.kubernetes.io/';
  const roles = new Set<string>();
  for (const [key, value] of Object.entries(metadata?.labels ?? {})) {
    if (key.startsWith(prefix) && key.length > prefix.length) roles.add(key.slice(prefix.length));
    else if (key === 'kubernetes.io/role' && value !== '') roles.add(value);
  }
  return [...roles].sort().join(',') || '<none>';
}

export const eventColumns = defineColumns<Event>(
  ['Last Seen', 'Type', 'Reason', 'Object', '+Subobject', '+Source', 'Message', '+First Seen', '+Count', '+Name'],
  (event, now) => {
    const { involvedObject: about, source, series } = event;
    const first = age(event.firstTimestamp ?? event.eventTime, now);
    const last = event.lastTimestamp === undefined ? first : age(event.lastTimestamp, now);
    const component = source?.component || event.reportingComponent || '';
    const instance = source?.host || event.reportingInstance || '';
    return [
      series ? age(series.lastObservedTime, now) : last,
      event.type,
      event.reason,
      about.name ? `${about.kind?.toLowerCase()}/${about.name}` : about.kind?.toLowerCase(),
      about.fieldPath ?? '',
      instance === '' ? component : `${component}, ${instance}`,
      event.message?.trim(),
      first,
      String(series?.count ?? (event.count || 1)),
      event.metadata?.name,
    ];
  },
);

export const secretColumns = defineColumns<Secret>(['Name', 'Type', 'Data', 'Age'], ({ metadata, type, data }, now) => [
  metadata?.name,
  type,
  Object.keys(data ?? {}).length,
  age(metadata?.creationTimestamp, now),
]);

export const configMapColumns = defineColumns<ConfigMap>(['Name', 'Data', 'Age'], (configMap, now) => [
  configMap.metadata?.name,
  Object.keys(configMap.data ?? {}).length + Object.keys(configMap.binaryData ?? {}).length,
  age(configMap.metadata?.creationTimestamp, now),
]);

export const serviceAccountColumns = defineColumns<ServiceAccount>(['Name', 'Age'], ({ metadata }, now) => [
  metadata?.name,
  age(metadata?.creationTimestamp, now),
]);

const accessModes: Readonly<Record<string, string>> = {
  ReadWriteOnce: 'RWO',
  ReadOnlyMany: 'ROX',
  ReadWriteMany: 'RWX',
  ReadWriteOncePod: 'RWOP',
};

function modesText(modes: readonly string[] | undefined): string {
  return Object.entries(accessModes)
    .filter(([mode]) => modes?.includes(mode))
    .map(([, short]) => short)
    .join(',');
}

export const persistentVolumeColumns = defineColumns<PersistentVolume>(
  [
    'Name',
    'Capacity',
    'Access Modes',
    'Reclaim Policy',
    'Status',
    'Claim',
    'StorageClass',
    'VolumeAttributesClass',
    'Reason',
    'Age',
    '+VolumeMode',
  ],
  ({ metadata, spec, status }, now) => [
    metadata?.name,
    spec?.capacity?.['storage'] ?? '0',
    modesText(spec?.accessModes),
    spec?.persistentVolumeReclaimPolicy,
    metadata?.deletionTimestamp === undefined ? status?.phase : 'Terminating',
    spec?.claimRef ? `${spec.claimRef.namespace ?? ''}/${spec.claimRef.name ?? ''}` : '',
    spec?.storageClassName ?? '',
    spec?.volumeAttributesClassName ?? '<unset>',
    status?.reason ?? '',
    age(metadata?.creationTimestamp, now),
    spec?.volumeMode ?? '<unset>',
  ],
);

export const persistentVolumeClaimColumns = defineColumns<PersistentVolumeClaim>(
  [
    'Name',
    'Status',
    'Volume',
    'Capacity',
    'Access Modes',
    'StorageClass',
    'VolumeAttributesClass',
    'Age',
    '+VolumeMode',
  ],
  ({ metadata, spec, status }, now) => [
    metadata?.name,
    metadata?.deletionTimestamp === undefined ? status?.phase : 'Terminating',
    spec?.volumeName ?? '',
    spec?.volumeName ? (status?.capacity?.['storage'] ?? '0') : '',
    spec?.volumeName ? modesText(status?.accessModes) : '',
    spec?.storageClassName ?? '',
    spec?.volumeAttributesClassName ?? '<unset>',
    age(metadata?.creationTimestamp, now),
    spec?.volumeMode ?? '<unset>',
  ],
);

export const storageClassColumns = defineColumns<StorageClass>(
  ['Name', 'Provisioner', 'ReclaimPolicy', 'VolumeBindingMode', 'AllowVolumeExpansion', 'Age'],
  (storageClass, now) => {
    const { metadata } = storageClass;
    const isDefault = metadata?.annotations?.['storageclass.kubernetes.io/is-default-class'] === 'true';
    return [
      `${metadata?.name}${isDefault ? ' (default)' : ''}`,
      storageClass.provisioner,
      storageClass.reclaimPolicy ?? 'Delete',
      storageClass.volumeBindingMode ?? 'Immediate',
      storageClass.allowVolumeExpansion ?? false,
      age(metadata?.creationTimestamp, now),
    ];
  },
);

export const leaseColumns = defineColumns<Lease>(['Name', 'Holder', 'Age'], ({ metadata, spec }, now) => [
  metadata?.name,
  spec?.holderIdentity ?? '',
  age(metadata?.creationTimestamp, now),
]);

export const priorityClassColumns = defineColumns<PriorityClass>(
  ['Name', 'Value:integer', 'Global-Default:boolean', 'Age', '+PreemptionPolicy'],
  ({ metadata, value, globalDefault, preemptionPolicy }, now) => [
    metadata?.name,
    value ?? 0,
    globalDefault ?? false,
    age(metadata?.creationTimestamp, now),
    preemptionPolicy ?? '',
  ],
);

export const runtimeClassColumns = defineColumns<RuntimeClass>(
  ['Name', 'Handler', 'Age'],
  ({ metadata, handler }, now) => [metadata?.name, handler, age(metadata?.creationTimestamp, now)],
);

export const controllerRevisionColumns = defineColumns<ControllerRevision>(
  ['Name', 'Controller', 'Revision', 'Age'],
  ({ metadata, revision }, now) => {
    const owner = metadata?.ownerReferences?.find(({ controller }) => controller === true);
    const group = owner?.apiVersion.includes('/') ? `.${owner.apiVersion.split('/')[0]}` : '';
    const text = owner ? `${owner.kind.toLowerCase()}${group}/${owner.name}` : '<none>';
    return [metadata?.name, text, revision, age(metadata?.creationTimestamp, now)];
  },
);

export const resourceQuotaColumns = defineColumns<ResourceQuota>(
  ['Name', 'Request', 'Limit', 'Age'],
  ({ metadata, status }, now) => {
    const names = Object.keys(status?.hard ?? {}).sort();
    const text = (limits: boolean): string =>
      names
        .filter((name) => name.startsWith('limits.') === limits)
        .map((name) => `${name}: ${status?.used?.[name] ?? '0'}/${status?.hard?.[name]}`)
        .join(', ');
    return [metadata?.name, text(false), text(true), age(metadata?.creationTimestamp, now)];
  },
);

export const limitRangeColumns = defineColumns<LimitRange>(['Name', 'Created At:date'], ({ metadata }) => [
  metadata?.name,
  metadata?.creationTimestamp,
]);
