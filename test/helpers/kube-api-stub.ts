import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { matchesRequirements, parseLabelSelector } from '../../src/kube/label-selector.ts';
import type { KubeObject } from '../../src/kube/resources.ts';

const KINDS: Readonly<Record<string, { readonly path: string; readonly apiVersion: string }>> = {
  Namespace: { path: '/api/v1/namespaces', apiVersion: 'v1' },
  Service: { path: '/api/v1/services', apiVersion: 'v1' },
  Pod: { path: '/api/v1/pods', apiVersion: 'v1' },
  EndpointSlice: { path: '/apis/discovery.k8s.io/v1/endpointslices', apiVersion: 'discovery.k8s.io/v1' },
  ServiceImport: {
    path: '/apis/multicluster.x-k8s.io/v1alpha1/serviceimports',
    apiVersion: 'multicluster.x-k8s.io/v1alpha1',
  },
};

interface Watcher {
  readonly kind: string;
  readonly response: ServerResponse;
  readonly accepts: (object: KubeObject) => boolean;
}

/** The least of an API server that a CoreDNS needs: lists and watches of a set of objects, in JSON. */
export class KubeApiStub implements AsyncDisposable {
  readonly #server: Server;
  readonly #objects = new Map<string, KubeObject>();
  readonly #watchers = new Set<Watcher>();
  #version = 1000;

  private constructor(server: Server) {
    this.#server = server;
    server.on('request', (request, response) => this.#answer(request, response));
  }

  static async start(objects: readonly KubeObject[] = []): Promise<KubeApiStub> {
    const server = createServer();
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const stub = new KubeApiStub(server);
    for (const object of objects) stub.put(object);
    return stub;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as { port: number }).port}`;
  }

  /** How many watches are open: four once a CoreDNS with default options follows, five with pods. */
  get watches(): number {
    return this.#watchers.size;
  }

  /** Creates or changes an object. */
  put(object: KubeObject): void {
    const key = keyOf(object);
    const versioned = this.#versioned(object);
    const type = this.#objects.has(key) ? 'MODIFIED' : 'ADDED';
    this.#objects.set(key, versioned);
    this.#tell(type, versioned);
  }

  delete(object: KubeObject): void {
    if (this.#objects.delete(keyOf(object))) this.#tell('DELETED', this.#versioned(object));
  }

  /** Makes the set of objects this one, by single changes. */
  replace(objects: readonly KubeObject[]): void {
    const kept = new Set(objects.map(keyOf));
    for (const [key, object] of this.#objects) if (!kept.has(key)) this.delete(object);
    for (const object of objects) this.put(object);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise<void>((done) => this.#server.close(() => done()));
  }

  #versioned(object: KubeObject): KubeObject {
    const { apiVersion } = KINDS[object.kind!]!;
    return { ...object, apiVersion, metadata: { ...object.metadata, resourceVersion: String(++this.#version) } };
  }

  #tell(type: string, object: KubeObject): void {
    for (const { kind, response, accepts } of this.#watchers) {
      if (kind === object.kind && accepts(object)) response.write(`${JSON.stringify({ type, object })}\n`);
    }
  }

  #answer(request: IncomingMessage, response: ServerResponse): void {
    const url = new URL(request.url ?? '', 'http://stub');
    const kind = Object.keys(KINDS).find((name) => KINDS[name]!.path === url.pathname);
    response.setHeader('content-type', 'application/json');
    if (kind === undefined) {
      response.statusCode = 404;
      response.end(JSON.stringify({ kind: 'Status', apiVersion: 'v1', status: 'Failure', code: 404 }));
      return;
    }
    const selector = parseLabelSelector(url.searchParams.get('labelSelector') ?? '');
    const accepts = (object: KubeObject): boolean => matchesRequirements(selector, object.metadata?.labels);
    const items = [...this.#objects.values()].filter((object) => object.kind === kind && accepts(object));
    const { apiVersion } = KINDS[kind]!;
    const metadata = { resourceVersion: String(this.#version) };
    if (url.searchParams.get('watch') !== 'true') {
      response.end(JSON.stringify({ kind: `${kind}List`, apiVersion, metadata, items }));
      return;
    }
    const watcher = { kind, response, accepts };
    this.#watchers.add(watcher);
    response.on('close', () => this.#watchers.delete(watcher));
    response.flushHeaders();
    if (url.searchParams.get('sendInitialEvents') !== 'true') return;
    for (const object of items) response.write(`${JSON.stringify({ type: 'ADDED', object })}\n`);
    const annotations = { 'k8s.io/initial-events-end': 'true' };
    const object = { kind, apiVersion, metadata: { ...metadata, annotations } };
    response.write(`${JSON.stringify({ type: 'BOOKMARK', object })}\n`);
  }
}

function keyOf({ kind, metadata }: KubeObject): string {
  return `${kind} ${metadata?.namespace ?? ''}/${metadata?.name ?? ''}`;
}
