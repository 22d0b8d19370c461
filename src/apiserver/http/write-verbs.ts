import type { PatchType } from '../../kube/client.ts';
import type { DeleteOptions } from '../../kube/generated/types.ts';
import { ApiStatusError, isReason } from '../../kube/status.ts';
import { asStored, createObject, type WriteResult } from '../machinery/create-object.ts';
import { type DeleteResult, deleteObject } from '../machinery/delete-object.ts';
import { badRequest, invalidObject } from '../machinery/errors.ts';
import { listObjects } from '../machinery/list-objects.ts';
import type { Machinery } from '../machinery/machinery.ts';
import { patchObject } from '../machinery/patch-object.ts';
import type { ServedResource } from '../machinery/served-resource.ts';
import { releaseUnread, storedObject } from '../machinery/stored-object.ts';
import { updateObject } from '../machinery/update-object.ts';
import { type ApiReply, type ApiRequest, valueReply } from './api-request.ts';
import { parsePatchBody } from './patch-body.ts';
import { bodyFormat, mediaTypeOf, readObject, unsupportedMediaType } from './read-body.ts';
import { acceptedMedia, entryReply, listCollection, rowReply } from './read-verbs.ts';
import type { ResourceRequestInfo } from './request-info.ts';
import { deleteOptionsOfQuery, readContext, validateDryRun } from './request-options.ts';

const patchTypes: Readonly<Record<string, PatchType>> = {
  'application/json-patch+json': 'json',
  'application/merge-patch+json': 'merge',
  'application/strategic-merge-patch+json': 'strategic',
  'application/apply-patch+yaml': 'apply',
};

/** POST to a collection. */
export async function create(
  machinery: Machinery,
  resource: ServedResource,
  info: ResourceRequestInfo,
  request: ApiRequest,
): Promise<ApiReply> {
  const context = readContext(request, 'CreateOptions');
  const object = readObject(machinery, resource.schema, request, context);
  const result = await createObject(machinery, { resource, namespace: info.namespace, object, context });
  return writeReply(machinery, resource, request, result);
}

/** PUT of an object or of a subresource that shares its kind. */
export async function update(
  machinery: Machinery,
  resource: ServedResource,
  info: ResourceRequestInfo,
  request: ApiRequest,
): Promise<ApiReply> {
  const context = readContext(request, 'UpdateOptions');
  const object = readObject(machinery, resource.schema, request, context);
  const { subresource, namespace, name = '' } = info;
  const want = () => ({ object, tracked: false });
  const result = await updateObject(machinery, { resource, subresource, namespace, name, context, want });
  return writeReply(machinery, resource, request, result);
}

/** PATCH of an object or of a subresource that shares its kind. */
export async function patch(
  machinery: Machinery,
  resource: ServedResource,
  info: ResourceRequestInfo,
  request: ApiRequest,
): Promise<ApiReply> {
  const type = patchTypeOf(request, resource);
  const context = readContext(request, 'PatchOptions', type === 'apply');
  const { subresource, namespace, name = '' } = info;
  const isApply = type === 'apply';
  const applied = isApply ? resource.schema.readConfiguration(request.body) : undefined;
  const body = isApply ? undefined : parsePatchBody(request.body);
  const force = isApply && request.query.get('force') === 'true';
  const result = await patchObject(machinery, {
    resource,
    subresource,
    namespace,
    name,
    context,
    type,
    body,
    applied,
    force,
  });
  return writeReply(machinery, resource, request, result);
}

/** The kind of patch that the Content-Type names. Throws ApiStatusError UnsupportedMediaType (415). */
export function patchTypeOf({ headers }: ApiRequest, resource: ServedResource): PatchType {
  const type = patchTypes[mediaTypeOf(headers['content-type'])];
  const custom = resource.schema.custom;
  if (type && !(custom && type === 'strategic')) return type;
  throw unsupportedMediaType(Object.keys(patchTypes).filter((name) => !custom || patchTypes[name] !== 'strategic'));
}

function writeReply(
  machinery: Machinery,
  resource: ServedResource,
  request: ApiRequest,
  result: WriteResult,
): ApiReply {
  const shape = { resource, media: acceptedMedia(request), request, status: result.created ? 201 : 200 };
  if (result.entry) {
    const reply = entryReply(machinery, shape, result.entry);
    releaseUnread(result.entry);
    return reply;
  }
  return rowReply(machinery, shape, { stored: asStored(resource, result.object), served: result.object });
}

/** DELETE of one object. */
export async function remove(
  machinery: Machinery,
  resource: ServedResource,
  info: ResourceRequestInfo,
  request: ApiRequest,
): Promise<ApiReply> {
  const options = readDeleteOptions(machinery, request);
  const context = { ...readContext(request, 'DeleteOptions'), ...(options.dryRun?.length ? { dryRun: true } : {}) };
  const { namespace, name = '' } = info;
  const result = await deleteObject(machinery, { resource, namespace, name, options, context });
  return deleteReply(machinery, resource, request, { ...result, orphan: options.orphanDependents });
}

function deleteReply(
  machinery: Machinery,
  resource: ServedResource,
  request: ApiRequest,
  { deleted, object, orphan }: DeleteResult & { readonly orphan: boolean | undefined },
): ApiReply {
  const status = !deleted && orphan === false ? 202 : 200;
  if (!deleted || resource.stored.strategy.returnsDeleted) {
    const shape = { resource, media: acceptedMedia(request), request, status };
    return rowReply(machinery, shape, { stored: asStored(resource, object), served: object });
  }
  const { group, resource: kind } = resource.type;
  const details = { name: object.metadata?.name, ...(group === '' ? {} : { group }), kind, uid: object.metadata?.uid };
  return valueReply(status, { kind: 'Status', apiVersion: 'v1', metadata: {}, status: 'Success', details });
}

/** DELETE of a collection: everything that the selectors select. */
export async function removeCollection(
  machinery: Machinery,
  resource: ServedResource,
  info: ResourceRequestInfo,
  request: ApiRequest,
): Promise<ApiReply> {
  const options = readDeleteOptions(machinery, request);
  const context = { ...readContext(request, 'DeleteOptions'), ...(options.dryRun?.length ? { dryRun: true } : {}) };
  const reply = await listCollection(machinery, resource, info, request);
  const { entries } = await listObjects(machinery, {
    resource,
    namespace: resource.type.namespaced ? info.namespace : undefined,
    labelSelector: request.query.get('labelSelector') ?? undefined,
    fieldSelector: request.query.get('fieldSelector') ?? undefined,
  });
  for (const entry of entries) {
    const { name = '', namespace } = storedObject(entry).metadata ?? {};
    try {
      await deleteObject(machinery, { resource, namespace, name, options, context });
    } catch (error) {
      // Somebody else deleted it first: that is what was wanted.
      if (!isReason(error, 'NotFound')) throw error;
    }
  }
  return reply;
}

function readDeleteOptions({ schemas }: Machinery, request: ApiRequest): DeleteOptions {
  if (request.body.length === 0) return deleteOptionsOfQuery(request.query);
  const schema = schemas.kind({ group: '', version: 'v1', kind: 'DeleteOptions' });
  if (!schema) throw new ApiStatusError('InternalError', 'DeleteOptions has no schema');
  const { object } = schema.decode(request.body, bodyFormat(request));
  const options = object as DeleteOptions;
  const causes = validateDryRun(options.dryRun ?? []);
  if (causes.length > 0) throw invalidObject({ group: 'meta.k8s.io', kind: 'DeleteOptions' }, '', causes);
  if (typeof options !== 'object') throw badRequest('the body is not an object');
  return options;
}
