import { UserError } from '../../errors/towtank-error.ts';
import type { Finding } from '../../kernel/doctor/finding.ts';
import { findMissingFeatures, type RulesBackend } from '../../kernel/doctor/missing-features.ts';
import type { IptablesRunner } from '../../netfilter/runner.ts';
import { rulesModeOf } from '../../proxy/config/proxy-config.ts';
import type { ProxyLog } from '../../proxy/proxy-log.ts';
import type { ProxyOptions } from '../../proxy/proxy-server.ts';

type Explained = Pick<ProxyOptions, 'log'> & {
  /** To be called when the first rules are written: what fails later is no matter of the kernel's options. */
  readonly synced: () => void;
};

/** The log of a proxy, in which an error before its first rules names what the kernel lacks for them, if that is why. */
export function explainRefusals(
  { log, config, runners }: Pick<ProxyOptions, 'log' | 'config' | 'runners'>,
  find: typeof findMissingFeatures = findOnce,
): Explained {
  let isSynced = false;
  const explain = async (entry: ProxyLog): Promise<void> => {
    const isNftables = rulesModeOf({ mode: 'iptables', portalRules: 'nftables', ...config }) === 'nftables';
    const missing = await find(isNftables ? 'nft' : await backendOf(runners.iptables));
    log(missing.length === 0 ? entry : { ...entry, error: lacking(missing, entry.error) });
  };
  return {
    log: (entry) => {
      if (entry.level !== 'error' || isSynced) log(entry);
      else void explain(entry);
    },
    synced: () => {
      isSynced = true;
    },
  };
}

async function backendOf(iptables: IptablesRunner | undefined): Promise<RulesBackend> {
  const version = await iptables?.run('ipv4', ['-V']);
  return version?.stdout.includes('nf_tables') ? 'iptables-nft' : 'iptables-legacy';
}

// All proxies of a process have one kernel: it is examined once.
const found = new Map<RulesBackend, ReturnType<typeof findMissingFeatures>>();

function findOnce(backend: RulesBackend): ReturnType<typeof findMissingFeatures> {
  const asked = found.get(backend) ?? findMissingFeatures(backend);
  found.set(backend, asked);
  return asked;
}

function lacking(missing: readonly Finding[], cause: unknown): UserError {
  return new UserError({
    code: 'ERR_MISSING_KERNEL_FEATURE',
    message: `this kernel lacks ${missing.map(({ name }) => name).join(', ')}: ${missing[0]?.costs}`,
    hint: `${[...new Set(missing.map(({ remedy }) => remedy))].join('; ')}; towtank doctor shows everything`,
    cause,
  });
}
