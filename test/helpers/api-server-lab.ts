import type { AddressInfo } from 'node:net';
import { type ApiServer, type ApiServerOptions, createApiServer } from '../../src/apiserver/api-server.ts';
import {
  type ClusterCertificates,
  createClusterCertificates,
} from '../../src/apiserver/certificates/cluster-certificates.ts';
import { buildKubeconfig } from '../../src/apiserver/certificates/kubeconfig.ts';
import { createServiceAllocator } from '../../src/controllers/service-allocator/service-allocator.ts';
import type { KubeClient } from '../../src/kube/client.ts';
import { MemoryStore } from '../../src/store/memory-store.ts';
import type { Store } from '../../src/store/store.ts';
import { seededRandom } from './seeded-random.ts';
import { systemClock } from './system-clock.ts';

export const SERVICE_CIDRS = ['10.96.0.0/16'] as const;
export const STATIC_TOKEN = 'lab-admin-token';

export type CredentialKind = 'certificate' | 'token' | 'http';

/** A real API server on loopback, on a store in memory unless another is given. */
export interface ApiServerLab extends AsyncDisposable {
  readonly server: ApiServer;
  readonly store: Store;
  readonly client: KubeClient;
  readonly certificates: ClusterCertificates;
  /** `https://127.0.0.1:PORT`. */
  readonly url: string;
  /** `http://127.0.0.1:PORT`, where everybody is the administrator. */
  readonly plainUrl: string;
  kubeconfig(kind?: CredentialKind): string;
}

const ADMIN = { name: 'kubernetes-admin', groups: ['system:masters', 'system:authenticated'] };

/** Starts one; everything that is not said is the default. */
export async function startApiServerLab(options: Partial<ApiServerOptions> = {}): Promise<ApiServerLab> {
  const store = options.store ?? new MemoryStore({ clock: options.clock ?? systemClock });
  const server = await createApiServer({
    clock: systemClock,
    random: seededRandom(7),
    allocator: createServiceAllocator({ serviceCIDRs: SERVICE_CIDRS }),
    staticTokens: new Map([[STATIC_TOKEN, ADMIN]]),
    ...options,
    store,
  });
  const certificates = createClusterCertificates({ names: ['127.0.0.1'], now: Date.now() });
  const at = { host: '127.0.0.1', port: 0 };
  const tls = { ...certificates.server, ca: certificates.ca.cert };
  const secure = await server.listen({ at, tls });
  const plain = await server.listen({ at, tls: undefined, trusted: ADMIN });
  const url = `https://127.0.0.1:${(secure.address as AddressInfo).port}`;
  const plainUrl = `http://127.0.0.1:${(plain.address as AddressInfo).port}`;
  return {
    server,
    store,
    client: server.client('lab'),
    certificates,
    url,
    plainUrl,
    kubeconfig: (kind = 'certificate') => kubeconfigOf(kind, { url, plainUrl, certificates }),
    [Symbol.asyncDispose]: async () => {
      await server.close();
      if (!options.store) await store[Symbol.asyncDispose]();
    },
  };
}

function kubeconfigOf(
  kind: CredentialKind,
  { url, plainUrl, certificates }: Pick<ApiServerLab, 'url' | 'plainUrl' | 'certificates'>,
): string {
  const names = { name: 'towtank', user: 'towtank-admin' };
  if (kind === 'http') return buildKubeconfig({ ...names, server: plainUrl });
  const credential =
    kind === 'token'
      ? ({ type: 'token', token: STATIC_TOKEN } as const)
      : ({ type: 'certificate', ...certificates.admin } as const);
  return buildKubeconfig({ ...names, server: url, ca: certificates.ca.cert, credential });
}
