import { SystemCallError } from '../../errors/system-call-error.ts';
import { UserError } from '../../errors/towtank-error.ts';
import { NetworkNamespace } from '../../kernel/network-namespace.ts';
import { setOomScoreAdj } from '../../kernel/oom-score.ts';
import { mayChangeNetwork } from '../../kernel/sandbox/privileges.ts';
import type { Family } from '../../netfilter/runner.ts';
import { RuleOwnership } from '../../proxy/rule-ownership.ts';
import { isMovable } from '../../proxy/userspace/movable-transport.ts';
import { ReplyPath } from '../../proxy/userspace/reply-path.ts';
import { nodeSockets } from '../compose/node-sockets.ts';
import { openTransport } from '../compose/start-transport.ts';
import { systemClock } from '../compose/system-clock.ts';
import { followCluster } from './follow-cluster.ts';
import { log } from './host-log.ts';
import { createHostRunners, type HostRunners } from './host-runners.ts';
import { type RunProxyOptions, readProxySettings } from './proxy-settings.ts';
import { removeProxyRules } from './remove-proxy-rules.ts';
import { hostFamilies } from './start-host-proxy.ts';
import { drain } from './take-over/drain.ts';
import { UntilTold } from './until-told.ts';

/**
 * Runs the proxy of this host until SIGINT or SIGTERM, which leave its rules in place, or until another one has taken over and the
 * connections of this one have ended; rejects when it cannot begin.
 */
export async function runProxy(options: RunProxyOptions): Promise<void> {
  requirePrivilege();
  const settings = readProxySettings(options);
  const { rules, limits, config } = settings;
  await using stack = new AsyncDisposableStack();
  const told = stack.use(new UntilTold());
  const netns = NetworkNamespace.current();
  const runners = await createHostRunners(netns, rules);
  const ownership = new RuleOwnership(runners);
  const found = await ownership.check();
  log({ level: 'info', message: `proxy of node ${settings.nodeName} in ${config.mode} mode` });
  stayInMemory(config.oomScoreAdj);
  const carrying = { limits, isLocal: false, onError: carriedBadly };
  const transport = config.mode === 'userspace' ? stack.use(await openTransport(carrying)) : undefined;
  const following = stack.use(new AsyncDisposableStack());
  const startedAt = systemClock.now();
  const claim = (family: Family): Promise<void> => ownership.claim({ mode: rules, family });
  const parts = { stack: following, netns, runners, transport, claim };
  const begun = followCluster(settings, parts).then(async ({ synced, replaced }) => {
    // Only now: a proxy that runs already holds the ports, and its rules are not left ones.
    const left = found.filter(({ mode }) => mode !== rules);
    for (const { mode, family } of left) await removeProxyRules(runners, mode, [family]);
    await ownership.release(left);
    // Only beside rules of ours they are surely ours too.
    if (config.mode !== 'userspace' && found.length > 0) await closeReplyPaths(runners);
    const took = (): number => systemClock.now() - startedAt;
    const written = synced.then(() => {
      log({ level: 'info', message: `the rules are in the kernel, ${took()} ms after the start` });
      return replaced;
    });
    return await Promise.race([replaced, written]);
  });
  const end = await Promise.race([told.signal, begun]);
  if (typeof end === 'string') {
    log({ level: 'info', message: `ending after ${end}; the rules stay` });
    return;
  }
  await following.disposeAsync();
  if (transport !== undefined && isMovable(transport))
    await drain(transport, { pid: end, limits, told: told.signal, log });
}

/** Removes what proxies of any mode, ours or others, left in this network namespace. */
export async function cleanUpProxy(): Promise<void> {
  requirePrivilege();
  const runners = await createHostRunners(NetworkNamespace.current(), undefined);
  const families = hostFamilies();
  for (const mode of ['iptables', 'nftables'] as const) await removeProxyRules(runners, mode, families);
  for (const path of replyPaths(runners)) await path.close();
  await new RuleOwnership(runners).release();
}

async function closeReplyPaths(runners: HostRunners): Promise<void> {
  for (const path of replyPaths(runners)) if (await path.isOpen()) await path.close();
}

// Those that userspace mode may have left.
function replyPaths({ nft, ...runners }: HostRunners): readonly ReplyPath[] {
  const sockets = nodeSockets(NetworkNamespace.current());
  const iptables = [runners.iptables, runners.otherIptables].filter((runner) => runner !== undefined);
  return hostFamilies().map((family) => new ReplyPath({ family, rules: 'nftables', nft, iptables, sockets }));
}

const carriedBadly = (error: unknown): void =>
  log({ level: 'warning', message: 'a thread that carries connections failed', error });

// A container may lack the right; the proxy works without.
function stayInMemory(oomScoreAdj: number): void {
  try {
    setOomScoreAdj(oomScoreAdj);
  } catch (error) {
    if (!(error instanceof SystemCallError)) throw error;
    log({ level: 'info', message: `oomScoreAdj cannot be ${oomScoreAdj}`, error });
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
