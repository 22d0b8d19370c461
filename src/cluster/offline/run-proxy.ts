import { existsSync } from 'node:fs';
import { availableParallelism, networkInterfaces } from 'node:os';
import { SystemCallError } from '../../errors/system-call-error.ts';
import { TowtankError, UserError } from '../../errors/towtank-error.ts';
import { NetworkNamespace } from '../../kernel/network-namespace.ts';
import { mayChangeNetwork } from '../../kernel/sandbox/privileges.ts';
import { listenTcp } from '../../kernel/sockets.ts';
import { EventRecorder } from '../../kube/event-recorder.ts';
import { SharedInformers } from '../../kube/informers.ts';
import { resources } from '../../kube/resources.ts';
import type { Family } from '../../netfilter/runner.ts';
import { narrowClient } from '../../proxy/narrow-client.ts';
import type { ProxyLog } from '../../proxy/proxy-log.ts';
import { type Proxy as NodeProxy, type ProxyOptions, startProxy } from '../../proxy/proxy-server.ts';
import { RuleOwnership } from '../../proxy/rule-ownership.ts';
import { feedServiceFacts } from '../../proxy/service-facts-feed.ts';
import type { Transport } from '../../proxy/userspace/transport.ts';
import { explainRefusals } from '../compose/explain-refusals.ts';
import { nodeSockets } from '../compose/node-sockets.ts';
import { nodeSysctl } from '../compose/node-sysctl.ts';
import { openTransport } from '../compose/start-transport.ts';
import { systemClock } from '../compose/system-clock.ts';
import { giveBackMemory } from './give-back-memory.ts';
import { createHostRunners } from './host-runners.ts';
import { openKubeClient } from './open-kube-client.ts';
import { type ProxySettings, type RunProxyOptions, readProxySettings } from './proxy-settings.ts';
import { removeProxyRules } from './remove-proxy-rules.ts';

/** Runs the proxy of this host until SIGINT or SIGTERM, which leave its rules in place; rejects when it cannot begin. */
export async function runProxy(options: RunProxyOptions): Promise<void> {
  requirePrivilege();
  const settings = readProxySettings(options);
  await using stack = new AsyncDisposableStack();
  const netns = NetworkNamespace.current();
  const runners = await createHostRunners(netns, settings.rules);
  const { nodeName, rules, limits, config } = settings;
  const client = stack.use(openKubeClient({ ...settings, agent: 'towtank-proxy', onProblem: reportProblems() }));
  const ownership = new RuleOwnership(runners);
  const found = await ownership.check();
  await ownership.claim(rules, hostFamilies());
  log({ level: 'info', message: `proxy of node ${nodeName} in ${config.mode} mode` });
  const informers = stack.use(new SharedInformers(narrowClient(client, nodeName), systemClock));
  const startedAt = systemClock.now();
  const carrying = { limits, isLocal: false, onError: carriedBadly };
  const transport = config.mode === 'userspace' ? stack.use(await openTransport(carrying)) : undefined;
  const proxy = stack.use(await startHostProxy(settings, { netns, runners, client, informers, transport }));
  // Only now: a proxy that runs already holds the ports, and its rules are not left ones.
  for (const left of found) if (left.mode !== rules) await removeProxyRules(runners, left.mode, [left.family]);
  void proxy.synced.then(() => {
    log({ level: 'info', message: `the rules are in the kernel, ${systemClock.now() - startedAt} ms after the start` });
    if (informers.for(resources.nodes).get(nodeName) === undefined)
      log({ level: 'warning', message: `the API server has no node ${nodeName}: its addresses are not known` });
    giveBackMemory();
  });
  const signal = await untilTold();
  log({ level: 'info', message: `ending after ${signal}; the rules stay` });
}

/** Removes what proxies of any mode, ours or others, left in this network namespace. */
export async function cleanUpProxy(): Promise<void> {
  requirePrivilege();
  const runners = await createHostRunners(NetworkNamespace.current(), undefined);
  const families = hostFamilies();
  for (const mode of ['iptables', 'nftables'] as const) await removeProxyRules(runners, mode, families);
  await new RuleOwnership(runners).release();
}

type HostParts = Pick<ProxyOptions, 'client' | 'informers' | 'runners'> & {
  readonly netns: NetworkNamespace;
  readonly transport: Transport | undefined;
};

async function startHostProxy(
  { nodeName, config }: ProxySettings,
  { netns, transport, ...parts }: HostParts,
): Promise<NodeProxy> {
  const explained = explainRefusals({ log, config, runners: parts.runners });
  const onError = (error: unknown): void => log({ level: 'warning', message: 'writing an Event failed', error });
  const common = { client: parts.client, clock: systemClock };
  const recorder = new EventRecorder({ ...common, component: 'kube-proxy', host: nodeName, onError });
  const proxy = await startProxy({
    ...parts,
    ...common,
    services: feedServiceFacts({ ...parts, recorder }),
    nodeName,
    config,
    families: hostFamilies(),
    addresses: () => Object.values(networkInterfaces()).flatMap((each) => each?.map(({ address }) => address) ?? []),
    sysctl: nodeSysctl(netns),
    processors: availableParallelism(),
    listen: (address) => listen(netns, address),
    // Threads are in this namespace already; entering it takes a right that a proxy needs for nothing else.
    ...(transport && { userspace: { transport, sockets: { ...nodeSockets(netns), netns: undefined } } }),
    log: explained.log,
  });
  void proxy.synced.then(explained.synced);
  return proxy;
}

const carriedBadly = (error: unknown): void =>
  log({ level: 'warning', message: 'a thread that carries connections failed', error });

const hostFamilies = (): readonly Family[] => (existsSync('/proc/sys/net/ipv6') ? ['ipv4', 'ipv6'] : ['ipv4']);

function listen(netns: NetworkNamespace, address: { readonly host: string; readonly port: number }): number {
  try {
    return listenTcp(netns, address);
  } catch (cause) {
    if (!(cause instanceof SystemCallError) || cause.errno !== 'EADDRINUSE') throw cause;
    throw new UserError({
      code: 'ERR_PORT_TAKEN',
      message: `port ${address.port} is in use`,
      hint: 'another proxy may run here; healthzBindAddress and metricsBindAddress of --config name other ports',
      cause,
    });
  }
}

function requirePrivilege(): void {
  if (mayChangeNetwork()) return;
  throw new UserError({
    code: 'ERR_PERMISSION',
    message: 'a proxy changes rules of the kernel, which this user may not',
    hint: 'run it as root, or in a container with NET_ADMIN',
  });
}

const LONG_MS = 2 ** 31 - 1;

function untilTold(): Promise<string> {
  return new Promise((resolve) => {
    // Waiting for a signal, or for an API server that is away, does not keep a process alive.
    const alive = setInterval(() => {}, LONG_MS);
    const told = (signal: string): void => {
      clearInterval(alive);
      resolve(signal);
    };
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => told(signal));
  });
}

const SAME_PROBLEM_MS = 60_000;

// Lists and watches fail together, again and again, while a server is away: once a minute is enough.
function reportProblems(): (error: unknown) => void {
  let last = { text: '', at: 0 };
  return (error) => {
    const { message: text } = error as Error;
    const now = systemClock.now();
    if (text === last.text && now - last.at < SAME_PROBLEM_MS) return;
    last = { text, at: now };
    log({ level: 'warning', message: text, error: error instanceof TowtankError ? undefined : error });
  };
}

function log({ level, message, error }: ProxyLog): void {
  const cause = error === undefined ? '' : `: ${error instanceof Error ? error.message : String(error)}`;
  const hint = error instanceof TowtankError && error.hint ? ` (${error.hint})` : '';
  process.stderr.write(`${new Date(systemClock.now()).toISOString()} ${level.padEnd(7)} ${message}${cause}${hint}\n`);
}
