import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { parseTables } from '../../../../src/netfilter/nftables/parse-tables.ts';
import { buildTable } from '../../../../src/proxy/nftables/build-table.ts';
import {
  buildNodeFacts,
  buildProxyEndpoint,
  buildProxyState,
  buildSelectedPort,
  buildServicePort,
} from '../../../helpers/build-proxy-facts.ts';

const page = (name: string): string =>
  readFileSync(new URL(`../../../../docs/reference/${name}`, import.meta.url), 'utf8');

test('the table in docs/reference/proxy-nftables.md is the one that is built for its example', () => {
  const node = buildNodeFacts({
    nodePortAddresses: { kind: 'list', addresses: ['172.18.0.2'] },
    serviceCIDRs: ['10.96.0.0/12'],
  });
  const web = buildServicePort({ namespace: 'default', name: 'web', portName: 'http', nodePort: 30_080 });
  const idle = buildServicePort({ namespace: 'default', name: 'idle', portName: '', clusterIP: '10.96.0.11' });
  const endpoints = ['10.244.1.2', '10.244.2.2'].map((ip) => buildProxyEndpoint({ ip, port: 8080 }));
  const state = buildProxyState([buildSelectedPort(web, endpoints, node), buildSelectedPort(idle, [], node)], node);
  const [, listing = ''] = /```nft\n([\s\S]*?)```/.exec(page('proxy-nftables.md')) ?? [];
  expect(parseTables(listing)).toEqual([buildTable(state)]);
});

test('the chains in docs/reference/hooks-and-priorities.md are the base chains, at their hooks and priorities', () => {
  const [, section = ''] = /## nftables mode\n([\s\S]*?)\n## /.exec(page('hooks-and-priorities.md')) ?? [];
  const documented = [...section.matchAll(/^\| (\S+) \| (filter|nat) \| (\S+) \| (-?\d+) \|/gm)].map((match) =>
    match.slice(1).join(' '),
  );
  const built = [...buildTable(buildProxyState([])).chains.values()].flatMap(({ name, hook }) =>
    hook === undefined ? [] : [`${name} ${hook.type} ${hook.hook} ${hook.priority}`],
  );
  expect(documented.sort()).toEqual(built.sort());
});
