import { join } from 'node:path/posix';
import type { Worker } from '../../controllers/loop/controller-context.ts';
import { startControllers } from '../../controllers/start-controllers.ts';
import { ClusterZone } from '../../dns/zone/cluster-zone.ts';
import { TowtankError } from '../../errors/towtank-error.ts';
import { pointResolver, restoreResolver } from '../../kernel/resolver-file.ts';
import { refuseUnclaimed } from '../../kernel/topology/refuse-unclaimed.ts';
import { SharedInformers } from '../../kube/informers.ts';
import type { NodeDns } from '../../kube/resolv-conf.ts';
import { resources } from '../../kube/resources.ts';
import { Kubelets } from '../../kubelet/kubelets.ts';
import type { Proxy as NodeProxy } from '../../proxy/proxy-server.ts';
import type { Transport } from '../../proxy/userspace/transport.ts';
import { startScheduler } from '../../scheduler/start-scheduler.ts';
import { type AddressPlan, buildAddressPlan } from '../config/address-plan.ts';
import { listenControl } from '../control/control-server.ts';
import type { StartSpec } from '../start-spec.ts';
import { writeWhole } from '../state-folder.ts';
import { KUBERNETES_VERSION, towtankVersion } from '../version.ts';
import { markPodsNotReady, type PodKey } from './after-restart.ts';
import { announceLoadBalancers } from './announce-load-balancers.ts';
import { applyManifests } from './apply-manifests.ts';
import { buildNetwork, type ClusterNetwork } from './build-network.ts';
import { resolverOf } from './cluster-resolver.ts';
import { readStatus } from './cluster-status.ts';
import { ComponentHealth } from './component-health.ts';
import { createControlHandlers } from './control-handlers.ts';
import { createDnsImage } from './dns-image.ts';
import { issueTokenThrough } from './issue-token.ts';
import { takeResolver } from './loopback-resolver.ts';
import { createNodeCacheImage } from './node-cache-image.ts';
import { buildNodeCacheObjects, nodeCacheAddresses } from './node-cache-objects.ts';
import { openStore } from './open-store.ts';
import { type Manifest, parseManifests } from './parse-manifests.ts';
import { createPlaceNames, type PlaceNames } from './place-names.ts';
import { snapshotOf } from './snapshot-of.ts';
import { type ControlPlane, startControlPlane } from './start-control-plane.ts';
import { startKernelThread } from './start-kernel-thread.ts';
import { startProxies } from './start-proxies.ts';
import { startTransport } from './start-transport.ts';
import { systemClock } from './system-clock.ts';
import { buildSystemObjects } from './system-objects.ts';
import { untilSettled } from './until-settled.ts';
import { waitFor } from './wait-for.ts';

export interface RunHooks {
  readonly log: (text: string) => void;
  /** Told as each step of the start is done. */
  readonly onStep: (name: string) => void;
}

const DNS_TIMEOUT_MS = 30_000;

/** Everything that the parts of a cluster are started with. */
interface Parts {
  readonly spec: StartSpec;
  readonly plan: AddressPlan;
  readonly network: ClusterNetwork;
  readonly health: ComponentHealth;
  readonly controlPlane: ControlPlane;
  readonly informers: SharedInformers;
  /** What cluster DNS answers from. */
  readonly zone: ClusterZone;
  /** Set where places have no resolver file of their own and cannot all have the machine's. */
  readonly names: PlaceNames | undefined;
}

/** Builds a whole cluster in this sandbox and resolves when it is ready; disposing it stops all parts in reverse order. */
export async function runCluster(spec: StartSpec, { log, onStep }: RunHooks): Promise<AsyncDisposable> {
  await using stack = new AsyncDisposableStack();
  const manifests = spec.manifests.flatMap(parseManifests);
  const plan = buildAddressPlan(spec.config);
  const health = new ComponentHealth(log);
  // What it waits for, a thread and the disk, goes on while the network is made.
  const opening = openStore(spec.store, true);
  opening.catch(() => {});
  const obstacle = spec.tier === 'loopback' ? await takeResolver() : undefined;
  if (obstacle !== undefined) log(`programs do not find names of the cluster: ${obstacle}`);
  const thread = startKernelThread(spec, health);
  if (thread !== undefined) stack.use(thread);
  const network = await buildNetwork(plan, { ...spec, namesObstacle: obstacle, thread });
  stack.use(network.fabric);
  if (spec.tier === 'full') await refuseUnknownServices(network, plan, log);
  onStep(`network of ${plan.nodes.length} nodes`);

  health.add('API server');
  const store = await opening;
  const late: { kubelets?: Kubelets } = {};
  const controlPlane = stack.use(
    await startControlPlane({
      spec,
      store,
      plan,
      network,
      kubelet: () => present(late.kubelets),
      onError: (error) => health.failed('API server', error, true),
    }),
  );
  const before = await markPodsNotReady(controlPlane.client('towtank'));
  const informers = stack.use(new SharedInformers(controlPlane.client('informers'), systemClock));
  const zone = new ClusterZone(informers, systemClock);
  const names = spec.tier === 'loopback' ? createPlaceNames(nodeDnsOf(spec, plan)) : undefined;
  const parts: Parts = { spec, plan, network, health, controlPlane, informers, zone, names };
  const kubelets = stack.use(createKubelets(parts));
  late.kubelets = kubelets;
  onStep('API server');

  const transport = await startTransport(spec.config, health, network.fabric.root);
  if (transport !== undefined) stack.use(transport);
  const [proxies, controllers] = await Promise.all([startNodeProxies(parts, transport), startBrains(parts, stack)]);
  for (const proxy of proxies.values()) stack.use(proxy);
  announceLoadBalancers(informers, network.nodes);
  await registerNodes(parts, kubelets);
  onStep('controllers, scheduler, kubelets and proxies');

  if (spec.tier !== 'full' && obstacle === undefined) {
    pointResolver(resolverOf(spec, plan));
    stack.defer(() => restoreResolver());
  }
  const client = controlPlane.client('towtank');
  await applyManifests(client, controlPlane.findType, manifestsOf(spec, plan));
  const applied = applyManifests(client, controlPlane.findType, manifests);
  await controlPlane.listen();
  writeWhole(spec.paths.kubeconfig, controlPlane.kubeconfig);
  await applied;
  const settled = (): Promise<void> => untilSettled(controlPlane, { controllers, proxies: [...proxies.values()] });
  stack.use(
    await listenControl(
      spec.paths.socket,
      createControlHandlers({
        ...controlPlane,
        client,
        network,
        kubelets,
        zone,
        names,
        clusterDNS: [...plan.clusterDNS, ...nodeCacheAddresses(plan.families)],
        settled,
        snapshot: () => snapshotOf(store, spec),
        connections: async () => (await transport?.connections()) ?? [],
        status: () => readStatus({ ...parts, store, client }),
      }),
    ),
  );
  await untilReady(parts, proxies, before);
  await settled();
  // Until now nothing was promised to anybody.
  await store.becomeDurable?.();
  onStep('cluster DNS');
  return stack.move();
}

async function refuseUnknownServices(
  { fabric }: ClusterNetwork,
  { serviceCIDRs }: AddressPlan,
  log: RunHooks['log'],
): Promise<void> {
  const lack = await refuseUnclaimed(fabric.root, serviceCIDRs);
  if (lack) log(`connections to Services that no proxy knows yet may wait for a second: ${lack.message}`);
}

function present<T>(value: T | undefined): T {
  if (value !== undefined) return value;
  throw new TowtankError({ code: 'ERR_INTERNAL', message: 'a part of the cluster was asked for before it was made' });
}

function createKubelets(parts: Parts): Kubelets {
  const { spec, plan, controlPlane, informers, health, zone, names } = parts;
  health.add('kubelets');
  const client = controlPlane.client('kubelet');
  const dns = { zone, clock: systemClock, random: Math.random, reachable: reachableFrom(parts) };
  return new Kubelets({
    client,
    informers,
    clock: systemClock,
    random: Math.random,
    ...podFolders(spec),
    dns: nodeDnsOf(spec, plan),
    lookUp: names?.lookUp,
    issueToken: issueTokenThrough(client),
    kubeletVersion: KUBERNETES_VERSION,
    containerRuntimeVersion: `towtank://${towtankVersion()}`,
    images: [createDnsImage(dns), createNodeCacheImage(dns)],
    onError: (error) => health.failed('kubelets', error, true),
  });
}

// /run is the sandbox's own; a cluster without a sandbox keeps to its state folder.
function podFolders({ tier, paths }: StartSpec): { readonly stateDir: string; readonly runtimeDir?: string } {
  if (tier === 'full') return { stateDir: '/run/towtank' };
  return { stateDir: join(paths.folder, 'pods'), runtimeDir: join(paths.folder, 'layers') };
}

// What kubelets write into the resolv.conf of pods.
function nodeDnsOf({ config }: StartSpec, { families, clusterDNS }: AddressPlan): NodeDns {
  const { replicas, nodeLocalDNS, domain } = config.dns;
  const servers = nodeLocalDNS ? nodeCacheAddresses(families) : clusterDNS;
  return { clusterDNS: nodeLocalDNS || replicas > 0 ? servers : [], clusterDomain: domain, hostResolvConf: '' };
}

// Networks of this sandbox; there is no way to others. In the other tiers the machine's resolv.conf, which a DNS server may
// forward to, names the Service of the DNS servers themselves.
function reachableFrom({ spec, plan }: Parts): readonly string[] {
  return [
    ...plan.podCIDRs,
    ...(spec.tier === 'full' ? plan.serviceCIDRs : []),
    ...plan.families.map((family) => spec.config.network.nodeCIDRs[family]),
  ];
}

function startNodeProxies(
  { spec, plan, network, controlPlane, informers, health }: Parts,
  transport: Transport | undefined,
): Promise<ReadonlyMap<string, NodeProxy>> {
  return startProxies({
    client: controlPlane.client('kube-proxy'),
    informers,
    config: spec.config,
    plan,
    networks: network.nodes,
    thread: network.thread,
    health,
    transport,
  });
}

async function startBrains(
  { plan, controlPlane, informers, health }: Parts,
  stack: AsyncDisposableStack,
): Promise<Worker> {
  const common = { informers, clock: systemClock, random: Math.random };
  const { caCertificate, servedKinds } = controlPlane;
  health.add('controllers');
  health.add('scheduler');
  const [controllers, scheduler] = await Promise.all([
    startControllers({
      ...common,
      client: controlPlane.client('kube-controller-manager'),
      config: { ...plan, caCertificate, servedKinds },
      onError: ({ controller, key, error }) =>
        health.failed('controllers', new Error(`${controller} ${key}`, { cause: error }), true),
    }),
    startScheduler({
      ...common,
      client: controlPlane.client('kube-scheduler'),
      onError: ({ key, error }) => health.failed('scheduler', new Error(`pod ${key}`, { cause: error }), true),
    }),
  ]);
  stack.use(controllers);
  stack.use(scheduler);
  return controllers;
}

async function registerNodes({ plan, network }: Parts, kubelets: Kubelets): Promise<void> {
  const zoneOf = (zone: string | undefined) => (zone === undefined ? {} : { 'topology.kubernetes.io/zone': zone });
  await Promise.all(
    plan.nodes.map(({ name, zone, labels }) =>
      kubelets.start({ network: present(network.nodes.get(name)), labels: { ...zoneOf(zone), ...labels } }),
    ),
  );
}

function manifestsOf({ config }: StartSpec, { clusterDNS, families }: AddressPlan): readonly Manifest[] {
  const { replicas, domain, nodeLocalDNS } = config.dns;
  if (replicas === 0) return [];
  const system = buildSystemObjects({ domain, clusterDNS, families, replicas });
  const addresses = nodeCacheAddresses(families);
  return nodeLocalDNS ? [...system, ...buildNodeCacheObjects({ domain, families, addresses })] : system;
}

// Ready means: every proxy has written its rules once, and names resolve.
async function untilReady(
  { spec, controlPlane, health }: Parts,
  proxies: ReadonlyMap<string, NodeProxy>,
  before: readonly PodKey[],
): Promise<void> {
  await Promise.race([health.failure, Promise.all([...proxies.values()].map(({ synced }) => synced))]);
  if (spec.config.dns.replicas === 0) return;
  const client = controlPlane.client('towtank');
  const wanted = { namespace: 'kube-system', for: 'Available', timeoutMs: DNS_TIMEOUT_MS };
  // What a Deployment says may still be of the time before a restart.
  const pods = before.filter(({ namespace }) => namespace === 'kube-system');
  await Promise.all(pods.map((pod) => waitFor(client, resources.pods, { ...wanted, ...pod, for: 'Ready' })));
  await waitFor(client, resources.deployments, { ...wanted, name: 'coredns' });
  if (spec.config.dns.nodeLocalDNS) await waitFor(client, resources.daemonSets, { ...wanted, name: 'node-local-dns' });
}
