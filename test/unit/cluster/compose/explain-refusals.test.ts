import { expect, test } from 'vitest';
import { explainRefusals } from '../../../../src/cluster/compose/explain-refusals.ts';
import type { Finding } from '../../../../src/kernel/doctor/finding.ts';
import type { ProxyLog } from '../../../../src/proxy/proxy-log.ts';

const numgen: Finding = {
  name: 'nft numgen',
  ok: false,
  required: false,
  detail: 'nft: No such file or directory',
  costs: 'no spreading over endpoints in proxy mode nftables',
  remedy: 'CONFIG_NFT_NUMGEN',
};
const refused: ProxyLog = { level: 'error', message: 'sync of ipv4 rules failed', error: new Error('ENOENT') };

function explain(missing: readonly Finding[]) {
  const entries: ProxyLog[] = [];
  const asked: string[] = [];
  const { promise: told, resolve } = Promise.withResolvers<void>();
  const log = (entry: ProxyLog): void => {
    entries.push(entry);
    resolve();
  };
  const find = async (backend: string): Promise<readonly Finding[]> => {
    asked.push(backend);
    return missing;
  };
  return { ...explainRefusals({ log, config: { mode: 'nftables' }, runners: {} }, find), entries, asked, told };
}

test('the first rules that a kernel refuses name the option that it lacks', async () => {
  const { log, entries, asked, told } = explain([numgen]);
  log(refused);
  await told;
  expect(asked).toEqual(['nft']);
  expect(entries[0]?.error).toMatchObject({
    code: 'ERR_MISSING_KERNEL_FEATURE',
    message: 'this kernel lacks nft numgen: no spreading over endpoints in proxy mode nftables',
    hint: 'CONFIG_NFT_NUMGEN; towtank doctor shows everything',
    cause: refused.error,
  });
});

test('another reason is told as it is', async () => {
  const { log, entries, told } = explain([]);
  log(refused);
  await told;
  expect(entries).toEqual([refused]);
});

test('warnings, and failures after the first rules, are not looked into', () => {
  const { log, synced, entries, asked } = explain([numgen]);
  log({ level: 'warning', message: 'later' });
  synced();
  log(refused);
  expect(entries).toHaveLength(2);
  expect(asked).toEqual([]);
});
