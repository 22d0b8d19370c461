import { expect, test } from 'vitest';
import type { Probe } from '../../../src/kernel/doctor/finding.ts';
import { kernelProbes } from '../../../src/kernel/doctor/kernel-probes.ts';
import { findMissingFeatures } from '../../../src/kernel/doctor/missing-features.ts';

const lacking = (name: string): Probe => {
  const probe = kernelProbes.find((candidate) => candidate.name === name);
  return {
    ...probe!,
    run: () => {
      throw new Error('No such file or directory');
    },
  };
};
const having = (name: string): Probe => ({ ...lacking(name), run: () => 'works' });

test('what a mode needs and the kernel lacks is named, with the option that brings it', async () => {
  const probes = [lacking('iptables-nft statistic'), having('iptables-nft nat'), lacking('nft numgen')];
  expect(await findMissingFeatures('iptables-nft', probes)).toMatchObject([
    {
      name: 'iptables-nft statistic',
      detail: 'No such file or directory',
      remedy: 'CONFIG_NFT_COMPAT and CONFIG_NETFILTER_XT_MATCH_STATISTIC',
    },
  ]);
  expect(await findMissingFeatures('nft', probes)).toMatchObject([{ name: 'nft numgen', remedy: 'CONFIG_NFT_NUMGEN' }]);
  expect(await findMissingFeatures('iptables-legacy', probes)).toEqual([]);
});

test('what only other commands need is no matter of a proxy', async () => {
  const probes = [lacking('nft trace'), lacking('iptables-nft TRACE'), lacking('iptables-nft multiport')];
  expect(await findMissingFeatures('nft', probes)).toEqual([]);
  expect(await findMissingFeatures('iptables-nft', probes)).toEqual([]);
});

test('each mode has features to look for', () => {
  for (const [backend, names] of [
    ['nft', ['nft nat', 'nft numgen', 'nft fib', 'nft verdict maps']],
    ['iptables-nft', ['iptables-nft nat', 'iptables-nft recent', 'iptables-nft addrtype']],
  ] as const) {
    for (const name of names) {
      expect(name.startsWith(backend)).toBe(true);
      expect(kernelProbes.find((probe) => probe.name === name)?.costs).toContain('proxy mode');
    }
  }
});
