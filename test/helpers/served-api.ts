import type { AddressInfo } from 'node:net';
import { type ApiServer, createApiServer } from '../../src/apiserver/api-server.ts';
import { createClusterCertificates } from '../../src/apiserver/certificates/cluster-certificates.ts';
import { buildKubeconfig } from '../../src/apiserver/certificates/kubeconfig.ts';
import { createServiceAllocator } from '../../src/controllers/service-allocator/service-allocator.ts';
import { MemoryStore } from '../../src/store/memory-store.ts';
import { systemClock } from './system-clock.ts';

/** How a kubeconfig of the served API proves who it is; `http` is trusted without proof. */
export const CREDENTIALS = ['certificate', 'token', 'http'] as const;

/** Our API server on the loopback of this process. */
export interface ServedApi extends AsyncDisposable {
  readonly server: ApiServer;
  /** Certificate authority, PEM. */
  readonly ca: string;
  readonly url: string;
  kubeconfig(credential: (typeof CREDENTIALS)[number]): string;
}

const ADMIN = { name: 'kubernetes-admin', groups: ['system:masters', 'system:authenticated'] };
const TOKEN = 'token-of-the-administrator';

/** Starts it with TLS and without, each on a port that the kernel chooses. */
export async function serveApi(): Promise<ServedApi> {
  const store = new MemoryStore({ clock: systemClock });
  const server = await createApiServer({
    store,
    clock: systemClock,
    random: Math.random,
    allocator: createServiceAllocator({ serviceCIDRs: ['10.96.0.0/16'] }),
    staticTokens: new Map([[TOKEN, ADMIN]]),
  });
  const certificates = createClusterCertificates({ names: ['127.0.0.1'], now: Date.now() });
  const at = { host: '127.0.0.1', port: 0 };
  const ca = certificates.ca.cert;
  const secure = await server.listen({ at, tls: { ...certificates.server, ca } });
  const plain = await server.listen({ at, tls: undefined, trusted: ADMIN });
  const url = `https://127.0.0.1:${(secure.address as AddressInfo).port}`;
  const names = { name: 'served', user: 'admin' };
  return {
    server,
    ca,
    url,
    kubeconfig: (credential) => {
      if (credential === 'http') {
        return buildKubeconfig({ ...names, server: `http://127.0.0.1:${(plain.address as AddressInfo).port}` });
      }
      const proof =
        credential === 'token'
          ? ({ type: 'token', token: TOKEN } as const)
          : ({ type: 'certificate', ...certificates.admin } as const);
      return buildKubeconfig({ ...names, server: url, ca, credential: proof });
    },
    [Symbol.asyncDispose]: async () => {
      await server.close();
      await store[Symbol.asyncDispose]();
    },
  };
}
