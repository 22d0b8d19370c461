import { noSuchResource } from '../machinery/errors.ts';
import type { Machinery } from '../machinery/machinery.ts';
import type { ServedResource } from '../machinery/served-resource.ts';
import { methodNotAllowed } from '../subresources/object-subresources.ts';
import type { SubresourceHandler, SubresourceHandlers } from '../subresources/subresource-hooks.ts';
import { type ApiReply, type ApiRequest, textReply } from './api-request.ts';
import { getObject, listCollection } from './read-verbs.ts';
import type { ResourceRequestInfo, Verb } from './request-info.ts';
import { watchCollection } from './watch-stream.ts';
import { create, patch, remove, removeCollection, update } from './write-verbs.ts';

type ResourceHandler = (
  machinery: Machinery,
  resource: ServedResource,
  info: ResourceRequestInfo,
  request: ApiRequest,
) => Promise<ApiReply> | ApiReply;

const objectVerbs: Readonly<Partial<Record<Verb, ResourceHandler>>> = { get: getObject, update, patch, delete: remove };
const collectionVerbs: Readonly<Partial<Record<Verb, ResourceHandler>>> = {
  list: listCollection,
  watch: watchCollection,
  create,
  deletecollection: removeCollection,
};

/** Answers a POST of a kind that is not stored: reviews, bindings. */
export type VirtualHandlers = Readonly<
  Record<string, (info: ResourceRequestInfo, request: ApiRequest) => Promise<ApiReply>>
>;

export interface DispatchOptions {
  readonly machinery: Machinery;
  readonly subresources: SubresourceHandlers;
  readonly virtual: VirtualHandlers;
}

/** What the real server answers for a path that it does not know. */
export const pageNotFound = (): ApiReply => textReply(404, '404 page not found\n');

/** Answers a request below /api or /apis. Rejects with ApiStatusError. */
export async function dispatchResource(
  { machinery, subresources, virtual }: DispatchOptions,
  info: ResourceRequestInfo,
  request: ApiRequest,
): Promise<ApiReply> {
  const { group, version, resource: name, subresource } = info;
  const resource = machinery.registry.find(group, version, name);
  if (!resource) {
    const handler = virtual[`${group}/${version}/${name}`];
    if (!handler || subresource !== '' || info.name !== undefined) return nothingHere(machinery, group);
    if (info.verb !== 'create') throw methodNotAllowed();
    return handler(info, request);
  }
  if (resource.type.namespaced !== (info.namespace !== undefined) && needsNamespace(info)) {
    if (isOfAll(info)) throw methodNotAllowed();
    throw noSuchResource();
  }
  if (resource.deprecation) request.warnings.push(resource.deprecation);
  if (subresource !== '') return dispatchSubresource({ machinery, subresources, virtual }, resource, info, request);
  const handler =
    info.name === undefined || isCollectionVerb(info) ? collectionVerbs[info.verb] : objectVerbs[info.verb];
  if (!handler || !allows(resource, info.verb)) throw methodNotAllowed();
  return handler(machinery, resource, info, request);
}

// Of a group that nobody serves the real server knows no more than a web server.
function nothingHere({ registry }: Machinery, group: string): ApiReply {
  if (registry.all().some(({ type }) => type.group === group)) throw noSuchResource();
  return pageNotFound();
}

// The collection over all namespaces is there, but can only be read.
function isOfAll({ namespace, name }: ResourceRequestInfo): boolean {
  return namespace === undefined && name === undefined;
}

// A list over all namespaces has none; anything else of a namespaced kind needs one, and other kinds must not have one.
function needsNamespace({ namespace, verb, resource }: ResourceRequestInfo): boolean {
  if (resource === 'namespaces') return false;
  return namespace !== undefined || (verb !== 'list' && verb !== 'watch');
}

function isCollectionVerb({ verb }: ResourceRequestInfo): boolean {
  return verb === 'list' || verb === 'watch' || verb === 'deletecollection';
}

function allows({ verbs }: ServedResource, verb: Verb): boolean {
  return verbs.includes(verb);
}

async function dispatchSubresource(
  { machinery, subresources }: DispatchOptions,
  resource: ServedResource,
  info: ResourceRequestInfo,
  request: ApiRequest,
): Promise<ApiReply> {
  const { group, resource: name, subresource, verb } = info;
  const facts = resource.subresources.get(subresource);
  if (!facts) throw noSuchResource();
  const special: SubresourceHandler | undefined =
    subresources[`${group}/${name}/${subresource}`] ?? subresources[`*/${subresource}`];
  if (special) return special({ machinery, resource, info, request });
  const handler = objectVerbs[verb];
  if (!handler || !facts.verbs.includes(verb)) throw methodNotAllowed();
  return handler(machinery, resource, info, request);
}
