import { type ApiServer, createApiServer } from '../../apiserver/api-server.ts';
import { createClusterCertificates } from '../../apiserver/certificates/cluster-certificates.ts';
import { buildKubeconfig } from '../../apiserver/certificates/kubeconfig.ts';
import type { ServedKinds } from '../../controllers/config.ts';
import { createServiceAllocator } from '../../controllers/service-allocator/service-allocator.ts';
import { isLoopbackRange } from '../../kernel/loopback/ports.ts';
import { listenTcp } from '../../kernel/sockets.ts';
import type { KubeClient } from '../../kube/client.ts';
import type { KubeletConnection } from '../../kube/kubelet-connection.ts';
import { apiVersionOf, type ResourceType } from '../../kube/resources.ts';
import type { ServiceAllocator } from '../../kube/service-allocator.ts';
import type { Store } from '../../store/store.ts';
import type { AddressPlan } from '../config/address-plan.ts';
import type { StartSpec } from '../start-spec.ts';
import { KUBERNETES_VERSION } from '../version.ts';
import type { FindType } from './apply-manifests.ts';
import type { ClusterNetwork } from './build-network.ts';
import { ensureAuthority } from './cluster-authority.ts';
import { compactHistory } from './compact-history.ts';
import { reachFrom } from './reach-into-network.ts';
import { refuseForeignAddresses } from './refuse-foreign-addresses.ts';
import { refuseLocalPolicies } from './refuse-local-policies.ts';
import { systemClock } from './system-clock.ts';

/** Descriptor of the listening socket of the host that the launcher handed over. */
const HOST_LISTENER = 3;
const API_PORT = 6443;

export interface ControlPlaneOptions {
  readonly spec: StartSpec;
  /** Closed with the control plane. */
  readonly store: Store;
  readonly plan: AddressPlan;
  readonly network: ClusterNetwork;
  /** The kubelets, which need the API themselves: asked for when the API opens. */
  readonly kubelet: () => KubeletConnection;
  /** Told of failures that nobody else hears of. */
  readonly onError: (error: unknown) => void;
}

/** The store and the API server of a cluster. */
export interface ControlPlane extends AsyncDisposable {
  /** The API in process, for one part that signs its writes with this name. */
  client(fieldManager: string): KubeClient;
  /** Rises with every write. */
  revision(): number;
  readonly findType: FindType;
  /** Finds a type by plural, singular or short name. */
  readonly findResource: (name: string) => ResourceType | undefined;
  readonly servedKinds: ServedKinds;
  readonly caCertificate: string;
  /** cluster-admin, over TLS on loopback of the host. */
  readonly kubeconfig: string;
  /** Opens the API for the host and for pods and nodes. */
  listen(): Promise<void>;
}

/** Makes the API server of a cluster on its store; it answers in process at once, over HTTP after `listen`. */
export async function startControlPlane(options: ControlPlaneOptions): Promise<ControlPlane> {
  const { spec, store, plan, network, kubelet, onError } = options;
  const server = await createApiServer({
    store,
    clock: systemClock,
    random: Math.random,
    allocator: allocatorOf(spec, plan),
    ...(spec.tier === 'loopback' ? { admitsLoopback: isLoopbackRange } : {}),
    get kubelet() {
      return kubelet();
    },
    proxy: reachFrom(network.fabric.root),
    gitVersion: KUBERNETES_VERSION,
    onError,
  });
  const {
    ca,
    admin,
    server: pair,
  } = createClusterCertificates({
    names: [...plan.apiServer, ...plan.kubernetesService, ...spec.apiNames],
    now: systemClock.now(),
    authority: await ensureAuthority(store, systemClock.now()),
  });
  const compaction = compactHistory(store, systemClock, onError);
  return {
    client: (fieldManager) => server.client(fieldManager),
    revision: () => store.revision,
    ...typeFinders(server),
    caCertificate: ca.cert,
    kubeconfig: buildKubeconfig({
      name: `towtank-${spec.config.name}`,
      user: `towtank-${spec.config.name}-admin`,
      server: `https://127.0.0.1:${spec.apiPort}`,
      ca: ca.cert,
      credential: { type: 'certificate', ...admin },
    }),
    listen: async () => {
      const tls = { ...pair, ca: ca.cert };
      // Where the host's network is the cluster's own, a socket for all of its addresses is enough.
      const isCovered = spec.tier !== 'full' && spec.apiHost === '0.0.0.0' && spec.apiPort === API_PORT;
      const hosts = isCovered ? [] : plan.apiServer;
      const descriptors = [
        HOST_LISTENER,
        ...hosts.map((host) => listenTcp(network.fabric.root, { host, port: API_PORT })),
      ];
      await Promise.all(descriptors.map((fd) => server.listen({ at: { fd }, tls })));
    },
    [Symbol.asyncDispose]: async () => {
      compaction[Symbol.dispose]();
      await server.close();
      await store[Symbol.asyncDispose]();
    },
  };
}

function allocatorOf({ tier }: StartSpec, { serviceCIDRs }: AddressPlan): ServiceAllocator {
  const allocator = createServiceAllocator({ serviceCIDRs });
  if (tier === 'full') return allocator;
  const refusing = refuseLocalPolicies(allocator, tier);
  return tier === 'loopback' ? refuseForeignAddresses(refusing) : refusing;
}

function typeFinders({ registry }: ApiServer): Pick<ControlPlane, 'findType' | 'findResource' | 'servedKinds'> {
  return {
    findType: (apiVersion, kind) =>
      registry.all().find(({ type }) => type.kind === kind && apiVersionOf(type) === apiVersion)?.type,
    findResource: (name) =>
      registry
        .all()
        .find(
          ({ type, singular, shortNames }) => type.resource === name || singular === name || shortNames.includes(name),
        )?.type,
    servedKinds: {
      list: () => registry.all().map(({ type }) => type),
      onChange: (listener) => registry.onChange(listener),
    },
  };
}
