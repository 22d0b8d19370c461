import { createHash } from 'node:crypto';
import type { APIResource } from '../../kube/generated/types.ts';
import { type ApiReply, type ApiRequest, type BodyReply, valueReply } from '../http/api-request.ts';
import { parseAccept } from '../http/negotiate.ts';
import type { Machinery } from '../machinery/machinery.ts';
import { apiResourceList, type GroupVersion, groupVersions, printGroupVersion } from './api-resources.ts';

type AggregatedVersion = 'v2' | 'v2beta1';

interface Cached {
  readonly generation: number;
  readonly versions: readonly GroupVersion[];
  readonly replies: Map<string, BodyReply>;
}

/** /api, /apis and below: the legacy documents one by one, or aggregated into one for clients that ask for it. */
export class Discovery {
  readonly #machinery: Machinery;
  readonly #serverAddress: () => string;
  #cached: Cached | undefined;

  /** `serverAddress` is host and port as clients reach them. */
  constructor(machinery: Machinery, serverAddress: () => string) {
    this.#machinery = machinery;
    this.#serverAddress = serverAddress;
  }

  /** The group versions as they are served now. */
  versions(): readonly GroupVersion[] {
    return this.#current().versions;
  }

  /** Answers a GET; undefined when the path is none of discovery's. */
  reply({ path, headers }: Pick<ApiRequest, 'path' | 'headers'>): ApiReply | undefined {
    const words = path.split('/').filter((word) => word !== '');
    if (words[0] !== 'api' && words[0] !== 'apis') return undefined;
    const core = words[0] === 'api';
    if (words.length === 1) {
      const aggregated = aggregatedVersion(headers.accept);
      return aggregated ? this.#aggregated(core, aggregated, headers['if-none-match']) : this.#root(core);
    }
    if (core ? words.length === 2 : words.length === 3) {
      return this.#resources(core ? '' : words[1]!, core ? words[1]! : words[2]!);
    }
    return !core && words.length === 2 ? this.#group(words[1]!) : undefined;
  }

  #current(): Cached {
    const { registry, schemas } = this.#machinery;
    if (this.#cached?.generation !== registry.generation) {
      const versions = groupVersions(registry, schemas);
      this.#cached = { generation: registry.generation, versions, replies: new Map() };
    }
    return this.#cached!;
  }

  #root(core: boolean): ApiReply {
    const clientCIDRs = [{ clientCIDR: '0.0.0.0/0', serverAddress: this.#serverAddress() }];
    if (core) {
      return valueReply(200, { kind: 'APIVersions', versions: ['v1'], serverAddressByClientCIDRs: clientCIDRs });
    }
    return valueReply(200, { kind: 'APIGroupList', apiVersion: 'v1', groups: this.#groups().map(printGroup) });
  }

  #groups(): readonly (readonly GroupVersion[])[] {
    const groups = new Map<string, GroupVersion[]>();
    for (const version of this.versions()) {
      if (version.group === '') continue;
      const known = groups.get(version.group);
      if (known) known.push(version);
      else groups.set(version.group, [version]);
    }
    return [...groups.values()];
  }

  #group(name: string): ApiReply | undefined {
    const versions = this.versions().filter(({ group }) => group === name);
    if (versions.length === 0) return undefined;
    return valueReply(200, { kind: 'APIGroup', apiVersion: 'v1', ...printGroup(versions) });
  }

  #resources(group: string, version: string): ApiReply | undefined {
    const found = this.versions().find((candidate) => candidate.group === group && candidate.version === version);
    return found && valueReply(200, apiResourceList(found));
  }

  #aggregated(core: boolean, version: AggregatedVersion, known: string | undefined): ApiReply {
    const { replies } = this.#current();
    const key = `${core}/${version}`;
    const reply =
      replies.get(key) ??
      aggregatedReply(core ? [this.versions().filter(({ group }) => group === '')] : this.#groups(), version);
    replies.set(key, reply);
    if (known !== undefined && known === reply.headers['etag']) return { ...reply, status: 304, parts: [] };
    return reply;
  }
}

function printGroup(versions: readonly GroupVersion[]): object {
  const entries = versions.map((version) => ({ groupVersion: printGroupVersion(version), version: version.version }));
  return { name: versions[0]!.group, versions: entries, preferredVersion: entries[0] };
}

function aggregatedVersion(accept: string | undefined): AggregatedVersion | undefined {
  for (const { type, parameters } of parseAccept(accept ?? '')) {
    if (type !== 'application/json') continue;
    if (parameters.get('g') !== 'apidiscovery.k8s.io' || parameters.get('as') !== 'APIGroupDiscoveryList')
      return undefined;
    const version = parameters.get('v');
    if (version === 'v2' || version === 'v2beta1') return version;
  }
  return undefined;
}

function aggregatedReply(groups: readonly (readonly GroupVersion[])[], version: AggregatedVersion): BodyReply {
  const items = groups.map((versions) => ({
    metadata: { name: versions[0]!.group, creationTimestamp: null },
    versions: versions.map((groupVersion) => ({
      version: groupVersion.version,
      resources: aggregatedResources(groupVersion),
      freshness: 'Current',
    })),
  }));
  const body = Buffer.from(
    JSON.stringify({
      kind: 'APIGroupDiscoveryList',
      apiVersion: `apidiscovery.k8s.io/${version}`,
      metadata: {},
      items,
    }),
  );
  const contentType = `application/json;g=apidiscovery.k8s.io;v=${version};as=APIGroupDiscoveryList`;
  const etag = `"${createHash('sha256').update(body).digest('hex').toUpperCase()}"`;
  return { type: 'body', status: 200, headers: { 'content-type': contentType, etag, vary: 'Accept' }, parts: [body] };
}

function aggregatedResources(groupVersion: GroupVersion): unknown[] {
  const { resources } = apiResourceList(groupVersion);
  const scope = (entry: APIResource): string => (entry.namespaced ? 'Namespaced' : 'Cluster');
  const kindOf = (entry: APIResource): unknown => ({
    group: entry.group ?? groupVersion.group,
    version: entry.version ?? groupVersion.version,
    kind: entry.kind,
  });
  return resources
    .filter(({ name }) => !name.includes('/'))
    .map((entry) => {
      const subresources = resources
        .filter(({ name }) => name.startsWith(`${entry.name}/`))
        .map((sub) => ({
          subresource: sub.name.slice(entry.name.length + 1),
          responseKind: kindOf(sub),
          verbs: sub.verbs,
        }));
      return {
        resource: entry.name,
        responseKind: kindOf(entry),
        scope: scope(entry),
        singularResource: entry.singularName,
        verbs: entry.verbs,
        ...(entry.shortNames ? { shortNames: entry.shortNames } : {}),
        ...(entry.categories ? { categories: entry.categories } : {}),
        ...(subresources.length > 0 ? { subresources } : {}),
      };
    });
}
