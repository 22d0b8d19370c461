import { listenAtName } from '../../kernel/named-sockets.ts';
import type { NetworkNamespace } from '../../kernel/network-namespace.ts';
import { EventRecorder } from '../../kube/event-recorder.ts';
import { SharedInformers } from '../../kube/informers.ts';
import { resources } from '../../kube/resources.ts';
import { narrowClient } from '../../proxy/narrow-client.ts';
import type { Proxy as NodeProxy, ProxyOptions } from '../../proxy/proxy-server.ts';
import { feedServiceFacts, type ServiceFactsFeed } from '../../proxy/service-facts-feed.ts';
import { isMovable } from '../../proxy/userspace/movable-transport.ts';
import type { Transport } from '../../proxy/userspace/transport.ts';
import { nodeSockets } from '../compose/node-sockets.ts';
import { systemClock } from '../compose/system-clock.ts';
import { giveBackMemory } from './give-back-memory.ts';
import { log, reportProblems } from './host-log.ts';
import { openKubeClient } from './open-kube-client.ts';
import type { ProxySettings } from './proxy-settings.ts';
import { listenOnHost, startHostProxy } from './start-host-proxy.ts';
import { HandOver } from './take-over/hand-over.ts';
import { NAME } from './take-over/messages.ts';
import { RunningProxy } from './take-over/running-proxy.ts';
import { ServerSockets } from './take-over/server-sockets.ts';
import { HAND_OVER_PATIENCE_MS, TakeOver, type TakeOverParts } from './take-over/take-over.ts';

export interface FollowOptions {
  /** Ends what follows the API server; what is established goes on without. */
  readonly stack: AsyncDisposableStack;
  readonly netns: NetworkNamespace;
  readonly runners: ProxyOptions['runners'];
  /** Of userspace mode. */
  readonly transport: Transport | undefined;
  readonly claim: NonNullable<ProxyOptions['claim']>;
}

/** A proxy that follows its cluster. */
export interface Following {
  /** Resolves when the rules of all families have been written for the first time. */
  readonly synced: Promise<void>;
  /** Resolves with the process id of another proxy that has taken over. */
  readonly replaced: Promise<number>;
}

/** Keeps the rules of this host from now on, and takes over from a proxy in userspace mode that runs already. Rejects when it cannot begin. */
export async function followCluster(
  settings: ProxySettings,
  { stack, netns, runners, transport, claim }: FollowOptions,
): Promise<Following> {
  const { nodeName } = settings;
  const client = stack.use(openKubeClient({ ...settings, agent: 'towtank-proxy', onProblem: reportProblems() }));
  const informers = stack.use(new SharedInformers(narrowClient(client, nodeName), systemClock));
  const onError = (error: unknown): void => log({ level: 'warning', message: 'writing an Event failed', error });
  const recorder = new EventRecorder({ client, clock: systemClock, component: 'kube-proxy', host: nodeName, onError });
  const services = feedServiceFacts({ informers, recorder });
  const servers = new ServerSockets((address) => listenOnHost(netns, address));
  // Threads are in this namespace already; entering it takes a right that a proxy needs for nothing else.
  const sockets = { ...nodeSockets(netns), netns: undefined };
  const movable =
    transport !== undefined && isMovable(transport) ? { transport, sockets, servers, nodeName } : undefined;
  const takeOver = movable && (await takeOverFrom(movable, { stack, services, informers }));
  const parts = { netns, runners, claim, client, informers, services, listen: servers.listen.bind(servers) };
  const userspace = transport && { transport, sockets };
  const proxy = stack.use(await startHostProxy(settings, { ...parts, userspace }));
  const synced = proxy.synced.then(() => {
    if (informers.for(resources.nodes).get(nodeName) === undefined)
      log({ level: 'warning', message: `the API server has no node ${nodeName}: its addresses are not known` });
    giveBackMemory();
  });
  await takeOver?.finish(synced);
  if (takeOver !== undefined) log({ level: 'info', message: `listeners taken over: ${takeOver.listeners}` });
  const control = movable && (takeOver?.control ?? controlSocket());
  if (movable === undefined || control === undefined) return { synced, replaced: new Promise(() => {}) };
  const { replaced } = stack.use(offerHandOver(movable, { control, proxy }));
  return { synced, replaced };
}

interface Feeds {
  readonly stack: AsyncDisposableStack;
  readonly services: ServiceFactsFeed;
  readonly informers: SharedInformers;
}

// The running proxy is asked when all is known that rules are made of, for it leaves them alone from then on.
async function takeOverFrom(
  parts: TakeOverParts,
  { stack, services, informers }: Feeds,
): Promise<TakeOver | undefined> {
  const running = RunningProxy.find();
  if (running === undefined) return undefined;
  stack.use(running);
  log({ level: 'info', message: `process ${running.pid} is the proxy here: taking over from it` });
  await Promise.all([services.synced, informers.for(resources.nodes).start()]);
  return TakeOver.begin(running, parts);
}

function controlSocket(): number | undefined {
  const control = listenAtName(NAME);
  if (control === undefined) {
    const message = `the name ${NAME} belongs to another process: no other proxy will be able to take over`;
    log({ level: 'warning', message });
  }
  return control;
}

function offerHandOver(
  parts: TakeOverParts,
  { control, proxy }: { readonly control: number; readonly proxy: NodeProxy },
): HandOver {
  const onError = (error: unknown): void => log({ level: 'warning', message: 'handing over failed', error });
  return new HandOver({ ...parts, control, proxy, patienceMs: HAND_OVER_PATIENCE_MS, onError });
}
