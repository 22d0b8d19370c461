export type Verb =
  | 'get'
  | 'list'
  | 'watch'
  | 'create'
  | 'update'
  | 'patch'
  | 'delete'
  | 'deletecollection'
  | 'proxy'
  | 'head'
  | 'options';

/** What a path below /api or /apis is about. */
export interface ResourceRequestInfo {
  readonly type: 'resource';
  readonly verb: Verb;
  readonly group: string;
  readonly version: string;
  readonly resource: string;
  /** '' for the resource itself. */
  readonly subresource: string;
  readonly namespace: string | undefined;
  readonly name: string | undefined;
  /** What follows the subresource, for proxies: `metrics/cadvisor`, with its leading slash when there is one. */
  readonly rest: string | undefined;
  readonly path: string;
}

/** Everything else: discovery, health, version. */
export interface PathRequestInfo {
  readonly type: 'path';
  readonly verb: Verb;
  readonly path: string;
}

export type RequestInfo = ResourceRequestInfo | PathRequestInfo;

const verbs: Readonly<Record<string, Verb>> = {
  GET: 'get',
  HEAD: 'head',
  POST: 'create',
  PUT: 'update',
  PATCH: 'patch',
  DELETE: 'delete',
  OPTIONS: 'options',
};

// Subresources of a namespace; any other word after its name is a resource inside it.
const namespaceSubresources = new Set(['status', 'finalize']);

/** Reads method and path as the real server does. Throws URIError for malformed percent-encoding. */
export function parseRequestInfo(method: string, path: string, query: URLSearchParams): RequestInfo {
  const verb = verbs[method] ?? 'get';
  const parts = path.split('/');
  parts.shift();
  if (path.includes('%')) for (let i = 0; i < parts.length; i++) parts[i] = decodeURIComponent(parts[i]!);
  if (parts.at(-1) === '') parts.pop();
  const prefix = parts[0];
  const skip = prefix === 'api' ? 2 : 3;
  if ((prefix !== 'api' && prefix !== 'apis') || parts.length <= skip) return { type: 'path', verb, path };
  const [group, version] = prefix === 'api' ? ['', parts[1]!] : [parts[1]!, parts[2]!];
  return resourceInfo({ verb, group, version, path }, parts.slice(skip), query);
}

type Start = Pick<ResourceRequestInfo, 'verb' | 'group' | 'version' | 'path'>;

function resourceInfo(start: Start, words: readonly string[], query: URLSearchParams): ResourceRequestInfo {
  // The deprecated form: /api/v1/watch/namespaces/x/pods.
  const watching = words[0] === 'watch';
  const parts = watching ? words.slice(1) : words;
  const scoped = scope(parts);
  const [resource = '', name, subresource = ''] = scoped.parts;
  const rest = scoped.parts.length > 3 ? `/${scoped.parts.slice(3).join('/')}` : undefined;
  const verb = watching && start.verb === 'get' ? 'watch' : collectionVerb(start.verb, name, query);
  return {
    ...start,
    type: 'resource',
    verb,
    resource,
    subresource,
    namespace: scoped.namespace,
    name: name ?? (verb === 'get' ? undefined : nameOfSelector(verb, query)),
    rest: rest ?? (subresource === 'proxy' && start.path.endsWith('/') ? '/' : undefined),
  };
}

interface Scope {
  readonly namespace: string | undefined;
  readonly parts: readonly string[];
}

function scope(parts: readonly string[]): Scope {
  if (parts[0] !== 'namespaces' || parts.length < 2) return { namespace: undefined, parts };
  const inside = parts.length > 2 && !namespaceSubresources.has(parts[2]!);
  return { namespace: parts[1], parts: inside ? parts.slice(2) : parts };
}

function collectionVerb(verb: Verb, name: string | undefined, query: URLSearchParams): Verb {
  if (name !== undefined) return verb;
  if (verb === 'delete') return 'deletecollection';
  if (verb !== 'get') return verb;
  const watch = query.get('watch');
  return watch !== null && watch !== 'false' && watch !== '0' ? 'watch' : 'list';
}

// A list of one name is authorized like the object itself.
function nameOfSelector(verb: Verb, query: URLSearchParams): string | undefined {
  if (verb !== 'list' && verb !== 'watch' && verb !== 'deletecollection') return undefined;
  const match = /(?:^|,)metadata\.name==?([^,=!\\]+)(?:,|$)/.exec(query.get('fieldSelector') ?? '');
  return match?.[1];
}
