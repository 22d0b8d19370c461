import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { KubeClient, ListOptions } from '../../src/kube/client.ts';
import { apiVersionOf, type KubeObject, type ResourceType, resources } from '../../src/kube/resources.ts';

/**
 * Serves list, watch and get of a KubeClient over HTTP as JSON, and swallows Events: as much of the API as a kube-proxy asks
 * for. `fd` is a listening socket.
 */
export function serveKubeClient(client: KubeClient, fd: number): Disposable {
  const server = createServer((request, response) => {
    answer(client, request, response).catch((error: unknown) => {
      response.writeHead(500, { 'content-type': 'application/json' });
      response.end(
        JSON.stringify({ kind: 'Status', apiVersion: 'v1', status: 'Failure', message: String(error), code: 500 }),
      );
    });
  });
  server.listen({ fd });
  return {
    [Symbol.dispose]: () => {
      server.close();
      server.closeAllConnections();
    },
  };
}

async function answer(client: KubeClient, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const url = new URL(request.url ?? '/', 'http://api');
  const found = findType(url.pathname);
  if (request.method === 'POST')
    return json(response, 201, { kind: 'Event', apiVersion: 'events.k8s.io/v1', metadata: {} });
  if (found === undefined) {
    return json(response, 404, { kind: 'Status', apiVersion: 'v1', status: 'Failure', reason: 'NotFound', code: 404 });
  }
  const { type, name } = found;
  if (name !== undefined) return json(response, 200, withType(type, await client.get(type, { name })));
  const options = optionsOf(url.searchParams);
  if (/^(1|true)$/.test(url.searchParams.get('watch') ?? '')) return watch({ client, type, options, url, response });
  const { items, resourceVersion } = await client.list(type, options);
  json(response, 200, {
    kind: `${type.kind}List`,
    apiVersion: apiVersionOf(type),
    metadata: { resourceVersion },
    items: items.map((item) => withType(type, item)),
  });
}

function watch({
  client,
  type,
  options,
  url,
  response,
}: {
  readonly client: KubeClient;
  readonly type: ResourceType;
  readonly options: ListOptions;
  readonly url: URL;
  readonly response: ServerResponse;
}): void {
  const resourceVersion = url.searchParams.get('resourceVersion') ?? '0';
  response.writeHead(200, { 'content-type': 'application/json' });
  response.flushHeaders();
  const running = client.watch(
    type,
    { ...options, resourceVersion },
    (event) => response.write(`${JSON.stringify({ ...event, object: withType(type, event.object) })}\n`),
    () => response.end(),
  );
  response.on('close', () => running.close());
}

function findType(path: string): { readonly type: ResourceType; readonly name: string | undefined } | undefined {
  for (const type of Object.values(resources) as readonly ResourceType[]) {
    const root = type.group === '' ? '/api/v1' : `/apis/${type.group}/${type.version}`;
    const prefix = `${root}/${type.resource}`;
    if (path === prefix) return { type, name: undefined };
    if (path.startsWith(`${prefix}/`)) return { type, name: path.slice(prefix.length + 1) };
  }
  return undefined;
}

function optionsOf(parameters: URLSearchParams): ListOptions {
  const labelSelector = parameters.get('labelSelector') ?? '';
  const fieldSelector = parameters.get('fieldSelector') ?? '';
  return { ...(labelSelector && { labelSelector }), ...(fieldSelector && { fieldSelector }) };
}

const withType = (type: ResourceType, object: KubeObject): KubeObject => ({
  ...object,
  kind: type.kind,
  apiVersion: apiVersionOf(type),
});

function json(response: ServerResponse, status: number, body: unknown): void {
  response.writeHead(status, { 'content-type': 'application/json' });
  response.end(JSON.stringify(body));
}
