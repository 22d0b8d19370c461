import type { Clock } from '../kube/clock.ts';
import type { ConntrackRunner, Family, IptablesRunner, NftRunner } from '../netfilter/runner.ts';
import { type ProxyConfig, type RulesMode, rulesModeOf } from './config/proxy-config.ts';
import type { ProxyBackend } from './proxy-backend.ts';
import type { NodeSockets, Transport } from './userspace/transport.ts';

/** The programs of one node's network namespace. A mode needs its own only. */
export interface ProxyRunners {
  readonly iptables?: IptablesRunner | undefined;
  readonly nft?: NftRunner | undefined;
  readonly conntrack?: ConntrackRunner | undefined;
}

/** What userspace mode needs besides: sockets of the node, and what carries the traffic of all nodes of the process. */
export interface UserspaceParts {
  readonly transport: Transport;
  readonly sockets: NodeSockets;
}

export interface BackendOptions {
  readonly config: Pick<ProxyConfig, 'mode' | 'portalRules'>;
  readonly family: Family;
  readonly runners: ProxyRunners;
  readonly clock: Clock;
  readonly conntrackTcpBeLiberal: boolean;
  readonly userspace?: UserspaceParts | undefined;
}

/** Makes the backend of a mode; the code of the others is not loaded. Throws TypeError without its runner or transport. */
export async function createBackend({ config, userspace, ...options }: BackendOptions): Promise<ProxyBackend> {
  if (config.mode === 'userspace' && userspace === undefined) throw new TypeError('userspace mode needs a transport');
  if (config.mode === 'userspace' && config.portalRules === 'none') {
    const { DirectBackend } = await import('./userspace/direct-backend.ts');
    return new DirectBackend(options.family, userspace!);
  }
  const rules = await createRules({ ...options, mode: rulesModeOf(config) });
  if (userspace === undefined || config.mode !== 'userspace') return rules;
  const { UserspaceBackend } = await import('./userspace/userspace-backend.ts');
  const { ReplyPath } = await import('./userspace/reply-path.ts');
  const { family, runners } = options;
  const mode = rulesModeOf(config);
  const { nft, iptables } = runners;
  const replyPath = new ReplyPath({
    family,
    rules: mode,
    nft,
    iptables: iptables === undefined ? [] : [iptables],
    sockets: userspace.sockets,
  });
  return new UserspaceBackend({ rules, ...userspace, conntrack: runners.conntrack, replyPath });
}

type RulesOptions = Omit<BackendOptions, 'config' | 'userspace'> & { readonly mode: RulesMode };

async function createRules({ mode, family, runners, clock, ...options }: RulesOptions): Promise<ProxyBackend> {
  if (mode === 'nftables') {
    const { NftablesBackend } = await import('./nftables/nftables-backend.ts');
    return new NftablesBackend({ family, runner: needed(runners.nft, 'nft'), clock });
  }
  const { IptablesBackend } = await import('./iptables/iptables-backend.ts');
  return new IptablesBackend({ family, runner: needed(runners.iptables, 'iptables'), ...options });
}

function needed<T>(runner: T | undefined, name: string): T {
  if (runner === undefined) throw new TypeError(`this proxy mode needs the ${name} runner`);
  return runner;
}
