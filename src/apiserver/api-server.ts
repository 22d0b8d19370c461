import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { KubeClient } from '../kube/client.ts';
import { aggregateClusterRoles } from './access/aggregate-roles.ts';
import { bootstrapPolicy } from './access/bootstrap-policy.ts';
import { trustConnections } from './access/client-certificate.ts';
import { RbacAuthorizer } from './access/rbac-authorizer.ts';
import { ServiceAccountTokens } from './access/service-account-tokens.ts';
import type { ApiServerOptions, ListenOptions } from './api-server-options.ts';
import { ensureObjects, systemNamespaces, systemPriorityClasses } from './bootstrap/bootstrap-objects.ts';
import { createMachinery } from './create-machinery.ts';
import { CustomResources } from './customresources/custom-resources.ts';
import { bootstrapFlowControl, keepFlowControl } from './flowcontrol/keep-configuration.ts';
import type { HealthCheck } from './http/health.ts';
import type { HttpFront } from './http/http-server.ts';
import { InProcessClient } from './in-process-client.ts';
import type { Machinery } from './machinery/machinery.ts';
import type { ResourceRegistry } from './machinery/resource-registry.ts';
import type { Caller } from './machinery/strategy.ts';
import { SchemaCatalog } from './schema/schema-catalog.ts';
import type { ServerParts } from './server-parts.ts';

export type { ApiServerOptions, ListenOptions } from './api-server-options.ts';

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
const ISSUER = 'https://kubernetes.default.svc.cluster.local';

/** Builds the machinery, and writes what every cluster has. HTTP is loaded when the first listener asks for it. */
export async function createApiServer(options: ApiServerOptions): Promise<ApiServer> {
  const { onError = printError, serviceAccountIssuer = ISSUER } = options;
  const catalog = new SchemaCatalog();
  const machinery: Machinery = createMachinery(options, catalog, () => authorizer);
  const authorizer = new RbacAuthorizer(options.store, machinery.reader);
  const bootstrap = [...bootstrapPolicy(), ...bootstrapFlowControl(machinery)];
  await ensureObjects(machinery, [...systemNamespaces, ...systemPriorityClasses, ...bootstrap]);
  const tokens = await ServiceAccountTokens.create(machinery, serviceAccountIssuer);
  const aggregation = aggregateClusterRoles(machinery, onError);
  const configuration = keepFlowControl(machinery, onError);
  const custom = await CustomResources.start({ machinery, catalog, onError });
  const parts = (): ServerParts => ({
    ...options,
    machinery,
    catalog,
    authorizer,
    tokens,
    custom,
    onError,
    checks: checks(machinery),
  });
  let front: Promise<HttpFront> | undefined;
  const listening = new Set<Listening>();
  const close = async (): Promise<void> => {
    for (const listener of listening) await listener[Symbol.asyncDispose]();
    await (await front)?.close();
    custom[Symbol.dispose]();
    aggregation[Symbol.dispose]();
    configuration[Symbol.dispose]();
    authorizer[Symbol.dispose]();
  };
  return {
    client: (fieldManager) => new InProcessClient(machinery, { fieldManager, caller: LOOPBACK, tokens }),
    registry: machinery.registry,
    listen: async (listen) => {
      front ??= import('./http/create-front.ts').then(({ createFront }) => createFront(parts()));
      const listener = await startListening(await front, listen);
      listening.add(listener);
      return listener;
    },
    close,
    [Symbol.asyncDispose]: close,
  };
}

function checks({ store }: Machinery): readonly HealthCheck[] {
  let failure: string | undefined;
  void store.failed.then((error) => {
    failure = error.message;
  });
  return [
    { name: 'ping', check: () => undefined },
    { name: 'etcd', check: () => failure },
    { name: 'poststarthook/rbac/bootstrap-roles', check: () => undefined },
    { name: 'poststarthook/priority-and-fairness-config-producer', check: () => undefined },
  ];
}

function printError(error: unknown): void {
  process.stderr.write(`${error instanceof Error ? error.stack : String(error)}\n`);
}

async function startListening(front: HttpFront, { at, tls, trusted }: ListenOptions): Promise<Listening> {
  const server = tls ? front.secure(tls) : front.plain();
  if (trusted) trustConnections(server, trusted);
  await listenAt(server, at);
  return {
    address: server.address(),
    [Symbol.asyncDispose]: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

function listenAt(server: Server, at: ListenOptions['at']): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(at, () => {
      server.off('error', reject);
      resolve();
    });
  });
}
