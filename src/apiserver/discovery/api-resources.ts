import type { APIResource, APIResourceList } from '../../kube/generated/types.ts';
import type { ResourceRegistry } from '../machinery/resource-registry.ts';
import type { ServedResource } from '../machinery/served-resource.ts';
import type { ResourceFacts, SchemaRegistry } from '../schema/contract.ts';

/** A group and version with all that is served in it: resources of their own and those that only answer a POST. */
export interface GroupVersion {
  readonly group: string;
  readonly version: string;
  readonly resources: readonly ServedResource[];
  /** Facts of resources without storage: bindings, reviews. */
  readonly virtual: readonly ResourceFacts[];
}

const VIRTUAL = new Set([
  '/v1/bindings',
  'authentication.k8s.io/v1/selfsubjectreviews',
  'authentication.k8s.io/v1/tokenreviews',
  'authorization.k8s.io/v1/localsubjectaccessreviews',
  'authorization.k8s.io/v1/selfsubjectaccessreviews',
  'authorization.k8s.io/v1/selfsubjectrulesreviews',
  'authorization.k8s.io/v1/subjectaccessreviews',
]);

/** True for a resource that is served without being stored. */
export function isVirtual({
  group,
  version,
  resource,
}: Pick<ResourceFacts, 'group' | 'version' | 'resource'>): boolean {
  return VIRTUAL.has(`${group}/${version}/${resource}`);
}

/** Everything served, by group and version: groups in upstream's order of preference, the preferred version first. */
export function groupVersions(registry: ResourceRegistry, schemas: SchemaRegistry): readonly GroupVersion[] {
  const byVersion = new Map<string, { resources: ServedResource[]; virtual: ResourceFacts[] }>();
  const at = (group: string, version: string) => {
    const key = `${group}/${version}`;
    const known = byVersion.get(key) ?? { resources: [], virtual: [] };
    byVersion.set(key, known);
    return known;
  };
  for (const resource of registry.all()) at(resource.type.group, resource.type.version).resources.push(resource);
  for (const fact of schemas.resources()) {
    if (fact.subresource === undefined && isVirtual(fact)) at(fact.group, fact.version).virtual.push(fact);
  }
  return [...byVersion]
    .map(([key, { resources, virtual }]): GroupVersion => {
      const slash = key.indexOf('/');
      return { group: key.slice(0, slash), version: key.slice(slash + 1), resources, virtual };
    })
    .sort((a, b) => groupRank(a.group) - groupRank(b.group) || compare(a.group, b.group) || compareVersions(a, b));
}

const ORDER = [
  '',
  'apiregistration.k8s.io',
  'apps',
  'events.k8s.io',
  'authentication.k8s.io',
  'authorization.k8s.io',
  'autoscaling',
  'batch',
  'certificates.k8s.io',
  'networking.k8s.io',
  'policy',
  'rbac.authorization.k8s.io',
  'storage.k8s.io',
  'admissionregistration.k8s.io',
  'apiextensions.k8s.io',
  'scheduling.k8s.io',
  'coordination.k8s.io',
  'node.k8s.io',
  'discovery.k8s.io',
  'resource.k8s.io',
  'flowcontrol.apiserver.k8s.io',
];

function groupRank(group: string): number {
  const rank = ORDER.indexOf(group);
  return rank === -1 ? ORDER.length : rank;
}

const compare = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);

function compareVersions(a: GroupVersion, b: GroupVersion): number {
  const [stableA, numberA] = versionRank(a.version);
  const [stableB, numberB] = versionRank(b.version);
  return stableB - stableA || numberB - numberA || compare(a.version, b.version);
}

// v2 before v1 before v1beta1 before v1alpha1 before anything else.
function versionRank(version: string): readonly [stability: number, number: number] {
  const match = /^v(\d+)(?:(alpha|beta)(\d+))?$/.exec(version);
  if (!match) return [0, 0];
  const major = Number(match[1]);
  if (match[2] === undefined) return [3, major * 1000];
  return [match[2] === 'beta' ? 2 : 1, major * 1000 + Number(match[3])];
}

/** `v1` or `apps/v1`. */
export function printGroupVersion({ group, version }: Pick<GroupVersion, 'group' | 'version'>): string {
  return group === '' ? version : `${group}/${version}`;
}

/** The body of /api/v1 or /apis/GROUP/VERSION. */
export function apiResourceList(groupVersion: GroupVersion): APIResourceList {
  const entries = [
    ...groupVersion.resources.flatMap(resourceEntries),
    ...groupVersion.virtual.map(
      (fact): APIResource => ({
        name: fact.resource,
        singularName: fact.kind.kind.toLowerCase(),
        namespaced: fact.namespaced,
        kind: fact.kind.kind,
        verbs: fact.verbs,
      }),
    ),
  ];
  return {
    kind: 'APIResourceList',
    ...(groupVersion.group === '' ? {} : { apiVersion: 'v1' }),
    groupVersion: printGroupVersion(groupVersion),
    resources: entries.sort((a, b) => compare(a.name, b.name)),
  };
}

function resourceEntries(resource: ServedResource): APIResource[] {
  const { type, singular, shortNames, categories, verbs, subresources } = resource;
  const main: APIResource = {
    name: type.resource,
    singularName: singular,
    namespaced: type.namespaced,
    kind: type.kind,
    verbs: [...verbs].sort(),
    ...(shortNames.length > 0 ? { shortNames } : {}),
    ...(categories.length > 0 ? { categories } : {}),
    storageVersionHash: storageHash(resource),
  };
  return [main, ...[...subresources.values()].map((fact) => subresourceEntry(type.resource, fact))];
}

function subresourceEntry(
  resource: string,
  { subresource, kind, namespaced, verbs, group, version }: ResourceFacts,
): APIResource {
  const foreign = kind.group !== group || kind.version !== version;
  return {
    name: `${resource}/${subresource}`,
    singularName: '',
    namespaced,
    ...(foreign ? { group: kind.group, version: kind.version } : {}),
    kind: kind.kind,
    verbs: [...verbs].sort(),
  };
}

// Clients only compare it with itself: any digest of the stored version serves.
function storageHash({ stored: { type } }: ServedResource): string {
  let hash = 0xcbf29ce484222325n;
  for (const character of `${type.group}/${type.version}/${type.kind}`) {
    hash = BigInt.asUintN(64, (hash ^ BigInt(character.charCodeAt(0))) * 0x100000001b3n);
  }
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64BE(hash);
  return bytes.toString('base64');
}
