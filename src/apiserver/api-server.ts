import type { AddressInfo } from 'node:net';
import type { KubeClient } from '../kube/client.ts';
import type { Clock, Random } from '../kube/clock.ts';
import type { KubeletConnection } from '../kube/kubelet-connection.ts';
import type { NodeProxy } from '../kube/node-proxy.ts';
import type { ServiceAllocator } from '../kube/service-allocator.ts';
import type { Store } from '../store/store.ts';
import { ensureObjects, systemNamespaces, systemPriorityClasses } from './bootstrap/bootstrap-objects.ts';
import type { HttpFront, TlsOptions } from './http/http-server.ts';
import { InProcessClient } from './in-process-client.ts';
import { buildResources } from './kinds/build-resources.ts';
import { kindRows } from './kinds/kind-table.ts';
import { LeasePool } from './machinery/lease-pool.ts';
import { createReader, type Machinery } from './machinery/machinery.ts';
import { ResourceRegistry } from './machinery/resource-registry.ts';
import type { Caller } from './machinery/strategy.ts';
import { applyJsonPatch } from './patch/json-patch.ts';
import { applyMergePatch } from './patch/merge-patch.ts';
import { serverSideApply } from './patch/server-side-apply.ts';
import { applyStrategicMergePatch } from './patch/strategic-merge-patch.ts';
import { trackUpdate } from './patch/track-update.ts';
import { SchemaCatalog } from './schema/schema-catalog.ts';

export interface ApiServerOptions {
  readonly store: Store;
  readonly clock: Clock;
  readonly random: Random;
  readonly allocator: ServiceAllocator;
  /** Serves logs, exec, attach and port-forward; without one they answer 503. */
  readonly kubelet?: KubeletConnection | undefined;
  /** Serves the proxy subresources; without one they answer 503. */
  readonly proxy?: NodeProxy | undefined;
  /** What `kubectl version` shows, default v1.36.0. */
  readonly gitVersion?: string | undefined;
}

export interface ListenOptions {
  /** A listening socket from outside, or a port of `host`. */
  readonly at: { readonly fd: number } | { readonly host: string; readonly port: number };
  /** Undefined serves plain HTTP, where everybody is `system:anonymous` unless a token says otherwise. */
  readonly tls: TlsOptions | undefined;
}

/** A running listener. */
export interface Listening extends AsyncDisposable {
  readonly address: AddressInfo | string | null;
}

/** The API of one control plane; several may share one store. */
export interface ApiServer extends AsyncDisposable {
  /** For the parts of this process: nothing is authorized, `fieldManager` names the writer. */
  client(fieldManager: string): KubeClient;
  /** What is served, custom kinds included; they come and go. */
  readonly registry: Pick<ResourceRegistry, 'all' | 'onChange'>;
  listen(options: ListenOptions): Promise<Listening>;
  close(): Promise<void>;
}

const LOOPBACK: Caller = { name: 'system:apiserver', groups: ['system:masters', 'system:authenticated'] };

/** Builds the machinery, and writes what every cluster has. HTTP is loaded when the first listener asks for it. */
export async function createApiServer(options: ApiServerOptions): Promise<ApiServer> {
  const machinery = createMachinery(options);
  await ensureObjects(machinery, [...systemNamespaces, ...systemPriorityClasses]);
  let front: Promise<HttpFront> | undefined;
  const listening = new Set<Listening>();
  const close = async (): Promise<void> => {
    for (const listener of listening) await listener[Symbol.asyncDispose]();
    await (await front)?.close();
  };
  return {
    client: (fieldManager) => new InProcessClient(machinery, { fieldManager, caller: LOOPBACK }),
    registry: machinery.registry,
    listen: async (listen) => {
      front ??= import('./http/create-front.ts').then(({ createFront }) => createFront(machinery, options));
      const listener = await startListening(await front, listen);
      listening.add(listener);
      return listener;
    },
    close,
    [Symbol.asyncDispose]: close,
  };
}

function createMachinery({ store, clock, random, allocator }: ApiServerOptions): Machinery {
  const schemas = new SchemaCatalog();
  const registry = new ResourceRegistry();
  registry.add(buildResources(schemas, kindRows(allocator, store)));
  const patches = {
    json: applyJsonPatch,
    merge: applyMergePatch,
    strategic: applyStrategicMergePatch,
    apply: serverSideApply,
    trackUpdate,
  };
  return {
    store,
    registry,
    schemas,
    patches,
    clock,
    random,
    reader: createReader(store),
    leases: new LeasePool(store, clock),
  };
}

async function startListening(front: HttpFront, { at, tls }: ListenOptions): Promise<Listening> {
  const server = tls ? front.secure(tls) : front.plain();
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(at, () => {
      server.off('error', reject);
      resolve();
    });
  });
  return {
    address: server.address(),
    [Symbol.asyncDispose]: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}
