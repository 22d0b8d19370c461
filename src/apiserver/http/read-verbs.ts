import { apiVersionOf } from '../../kube/resources.ts';
import { ApiStatusError } from '../../kube/status.ts';
import type { KeyValue } from '../../store/store.ts';
import { notFound } from '../machinery/errors.ts';
import { type ListRequest, listObjects, parseResourceVersion, tooLarge } from '../machinery/list-objects.ts';
import type { Machinery } from '../machinery/machinery.ts';
import { objectKey } from '../machinery/object-keys.ts';
import type { ServedResource } from '../machinery/served-resource.ts';
import { servedObject, storedObject, wireBytes } from '../machinery/stored-object.ts';
import { type ApiReply, type ApiRequest, jsonReply, valueReply } from './api-request.ts';
import { listReply } from './list-body.ts';
import { type MediaType, negotiate } from './negotiate.ts';
import { type IncludeObject, partialMetadata, printTable, type TableRow } from './print-table.ts';
import type { ResourceRequestInfo } from './request-info.ts';
import { readInteger } from './request-options.ts';

/** The representation that the client asks for. Throws ApiStatusError NotAcceptable (406). */
export function acceptedMedia({ headers }: ApiRequest): MediaType {
  const media = negotiate(headers.accept);
  if (media) return media;
  const message =
    'only the following media types are accepted: application/json, application/yaml, application/vnd.kubernetes.protobuf';
  throw new ApiStatusError('NotAcceptable', message);
}

/** GET of one object, also through a subresource that has the object's own kind. */
export async function getObject(
  machinery: Machinery,
  resource: ServedResource,
  info: ResourceRequestInfo,
  request: ApiRequest,
): Promise<ApiReply> {
  const media = acceptedMedia(request);
  const entry = await findEntry(machinery, resource, info, request.query.get('resourceVersion') ?? '');
  return entryReply(machinery, { resource, media, request, status: 200 }, entry);
}

/** The stored version of what a path names. Throws ApiStatusError NotFound. */
export async function findEntry(
  { store }: Machinery,
  resource: ServedResource,
  { namespace, name = '' }: { readonly namespace?: string | undefined; readonly name?: string | undefined },
  resourceVersion = '',
): Promise<KeyValue> {
  const version = parseResourceVersion(resourceVersion);
  const wait = store.barrier();
  if (wait) await wait;
  if (version > store.revision) throw tooLarge(version, store.revision);
  const entry = store.get(objectKey(resource.stored.prefix, resource.type.namespaced ? namespace : undefined, name));
  if (!entry) throw notFound(resource.type, name);
  return entry;
}

export interface ReplyShape {
  readonly resource: ServedResource;
  readonly media: MediaType;
  readonly request: ApiRequest;
  readonly status: number;
}

/** An answer of one stored version. */
export function entryReply(machinery: Machinery, shape: ReplyShape, entry: KeyValue): ApiReply {
  const { resource, media, status } = shape;
  if (media.representation === 'object') return jsonReply(status, wireBytes(entry, resource));
  const row = rowOf(entry, resource);
  return rowReply(machinery, shape, row);
}

/** An answer of one object that is not stored as it stands. */
export function rowReply(
  machinery: Machinery,
  { resource, media, request, status }: ReplyShape,
  row: TableRow,
): ApiReply {
  if (media.representation === 'object') return valueReply(status, row.served);
  if (media.representation === 'partial') return valueReply(status, partialMetadata(row.served, media.version));
  const metadata = { resourceVersion: row.served.metadata?.resourceVersion };
  const options = {
    version: media.version,
    include: includeOf(request),
    now: machinery.clock.now(),
    withColumns: true,
    metadata,
  };
  return valueReply(status, printTable(resource.columns, [row], options));
}

// Columns of built-in kinds are made for the stored version, those of custom ones for the version that has them.
function rowOf(entry: KeyValue, resource: ServedResource): TableRow {
  const served = servedObject(entry, resource);
  return { stored: resource.schema.custom ? served : storedObject(entry), served };
}

/** GET of a collection. */
export async function listCollection(
  machinery: Machinery,
  resource: ServedResource,
  info: ResourceRequestInfo,
  request: ApiRequest,
): Promise<ApiReply> {
  const media = acceptedMedia(request);
  const { query } = request;
  const asked = readListRequest(resource, info, query);
  const { entries, revision, ...more } = await listObjects(machinery, asked);
  const metadata = { resourceVersion: String(revision), ...more };
  if (media.representation === 'object') {
    const head = { kind: `${resource.type.kind}List`, apiVersion: apiVersionOf(resource.type), metadata };
    return listReply(head, entries, { of: asked, segments: machinery.segments, isWhole: isWhole(asked) });
  }
  const rows = entries.map((entry) => rowOf(entry, resource));
  if (media.representation === 'partial') {
    const items = rows.map(({ served }) => partialMetadata(served, media.version));
    const kind = 'PartialObjectMetadataList';
    return valueReply(200, { kind, apiVersion: `meta.k8s.io/${media.version}`, metadata, items });
  }
  const options = {
    version: media.version,
    include: includeOf(request),
    now: machinery.clock.now(),
    withColumns: true,
    metadata,
  };
  return valueReply(200, printTable(resource.columns, rows, options));
}

function readListRequest(resource: ServedResource, info: ResourceRequestInfo, query: URLSearchParams): ListRequest {
  const limit = query.get('limit');
  return {
    resource,
    namespace: resource.type.namespaced ? info.namespace : undefined,
    labelSelector: query.get('labelSelector') ?? undefined,
    fieldSelector: query.get('fieldSelector') ?? undefined,
    limit: limit === null ? 0 : Math.max(0, readInteger(limit)),
    continue: query.get('continue') ?? undefined,
    resourceVersion: query.get('resourceVersion') ?? undefined,
    resourceVersionMatch: query.get('resourceVersionMatch') ?? undefined,
  };
}

// Everything as it is now: what every informer asks for.
function isWhole({ labelSelector, fieldSelector, limit, continue: token, resourceVersionMatch }: ListRequest): boolean {
  return !labelSelector && !fieldSelector && !limit && !token && resourceVersionMatch !== 'Exact';
}

/** What `includeObject` asks for; the default is Metadata. */
export function includeOf({ query }: ApiRequest): IncludeObject {
  const include = query.get('includeObject') ?? '';
  if (include === 'None' || include === 'Object') return include;
  if (include === '' || include === 'Metadata') return 'Metadata';
  throw new ApiStatusError('BadRequest', `unrecognized includeObject value: ${JSON.stringify(include)}`);
}
