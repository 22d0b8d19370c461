import { type ApiReply, type ApiRequest, textReply } from '../http/api-request.ts';
import type { Machinery } from '../machinery/machinery.ts';
import type { ServedResource } from '../machinery/served-resource.ts';
import { OpenApiDocuments } from '../openapi/open-api-documents.ts';
import type { OpenApiDocument, ResourceFacts, ServedGroupVersion } from '../schema/contract.ts';
import type { Discovery } from './discovery.ts';

/** Answers below /openapi; undefined for other paths. */
export type OpenApiRoutes = (request: Pick<ApiRequest, 'path' | 'headers'>) => ApiReply | undefined;

/** The documents of what discovery says is served. */
export function createOpenApi({ registry }: Machinery, discovery: Discovery): OpenApiRoutes {
  let cached: { readonly generation: number; readonly served: readonly ServedGroupVersion[] } | undefined;
  const served = (): readonly ServedGroupVersion[] => {
    if (cached?.generation !== registry.generation) {
      cached = { generation: registry.generation, served: servedGroupVersions(discovery) };
    }
    return cached.served;
  };
  const documents = new OpenApiDocuments(served);
  return ({ path, headers }) => {
    if (path === '/openapi/v2') {
      const { contentType, ...document } = documents.v2(headers.accept ?? '');
      return documentReply(document, headers['if-none-match'], contentType);
    }
    if (path === '/openapi/v3' || path === '/openapi/v3/')
      return documentReply(documents.index(), headers['if-none-match']);
    if (!path.startsWith('/openapi/v3/')) return undefined;
    const document = documents.document(path.slice('/openapi/v3/'.length));
    return document ? documentReply(document, headers['if-none-match']) : textReply(404, '404 page not found\n');
  };
}

function documentReply(
  { body, hash }: OpenApiDocument,
  known: string | undefined,
  contentType = 'application/json',
): ApiReply {
  const etag = `"${hash}"`;
  const headers = { 'content-type': contentType, etag, vary: 'Accept' };
  if (known === etag) return { type: 'body', status: 304, headers, parts: [] };
  return { type: 'body', status: 200, headers, parts: [body] };
}

function servedGroupVersions(discovery: Discovery): ServedGroupVersion[] {
  return discovery.versions().map(({ group, version, resources, virtual }) => ({
    group,
    version,
    resources: [...resources.flatMap(factsOf), ...virtual],
    customSchemas: new Map(
      resources.flatMap(({ type, openApi }) => (openApi === undefined ? [] : [[type.kind, openApi]])),
    ),
  }));
}

function factsOf({ type, schema, verbs, subresources }: ServedResource): ResourceFacts[] {
  const { group, version, resource, kind, namespaced } = type;
  const { custom } = schema;
  const main = { group, version, resource, subresource: undefined, namespaced, kind: { group, version, kind }, verbs };
  return [main, ...subresources.values()].map((facts) => (custom ? { ...facts, custom } : facts));
}
