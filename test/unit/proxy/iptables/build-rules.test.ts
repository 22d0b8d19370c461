import { describe, expect, it } from 'vitest';
import { printRule } from '../../../../src/netfilter/iptables/print-rule.ts';
import { printRules } from '../../../../src/netfilter/iptables/print-ruleset.ts';
import type { NodeNetwork } from '../../../../src/proxy/facts/node-network.ts';
import type { ServicePort } from '../../../../src/proxy/facts/service-port.ts';
import { buildNodePortJumps } from '../../../../src/proxy/iptables/build-fixed-chains.ts';
import { buildServiceRules } from '../../../../src/proxy/iptables/build-service-rules.ts';
import {
  buildNodeFacts,
  buildProxyEndpoint,
  buildSelectedPort,
  buildServicePort,
} from '../../../helpers/build-proxy-facts.ts';

const IPS = ['10.244.0.2', '10.244.0.3', '10.244.0.4'];

function build(port: Partial<ServicePort>, node: Partial<NodeNetwork> = {}, ips: readonly string[] = IPS): string[] {
  const facts = buildNodeFacts(node);
  const endpoints = ips.map((ip) => buildProxyEndpoint({ ip }));
  const selected = buildSelectedPort(buildServicePort(port), endpoints, facts);
  const { dispatch, chains: own, endpointChains } = buildServiceRules(selected, { node: facts, largeCluster: false });
  const chains = [...own, ...endpointChains.map(({ build }) => build())];
  return [
    ...dispatch.map(({ table, chain, rule }) => `${table} -A ${chain} ${printRule(rule)}`),
    ...chains.flatMap(printRules),
  ];
}

const having = (lines: readonly string[], text: string): string[] => lines.filter((line) => line.includes(text));

describe('what kube-proxy does not do', () => {
  it('round-robin counts to the number of endpoints that are left', () => {
    const lines = build({ balancing: 'round-robin' });
    expect(having(lines, '-m statistic').map((line) => /--mode.*(?= -j)/.exec(line)?.[0])).toEqual([
      '--mode nth --every 3 --packet 0',
      '--mode nth --every 2 --packet 0',
    ]);
  });

  it('the choice of a Service goes before that of the node', () => {
    expect(having(build({}, { balancing: 'round-robin' }), '--mode nth')).toHaveLength(2);
    expect(having(build({ balancing: 'random' }, { balancing: 'round-robin' }), '--mode random')).toHaveLength(2);
  });
});

describe('local traffic', () => {
  it('recognised by interface is matched in the place where iptables-save prints it', () => {
    const [rule] = having(
      build({}, { localDetector: { kind: 'interface-prefix', prefix: 'veth' } }),
      '-j KUBE-MARK-MASQ',
    );
    expect(rule).toContain('-d 10.96.0.10/32 ! -i veth+ -p tcp');
  });

  it('that cannot be recognised is not masqueraded, unless everything is', () => {
    const masquerade = (node: Partial<NodeNetwork>): string[] =>
      having(having(build({}, node), 'cluster IP'), '-j KUBE-MARK-MASQ');
    expect(masquerade({ localDetector: { kind: 'none' } })).toEqual([]);
    expect(masquerade({ localDetector: { kind: 'none' }, masqueradeAll: true })).toHaveLength(1);
  });
});

describe('a mark bit of its own', () => {
  it('stands in every rule that marks', async () => {
    const { buildForward, buildMarkMasq, buildPostrouting } = await import(
      '../../../../src/proxy/iptables/build-fixed-chains.ts'
    );
    const node = buildNodeFacts({ masqueradeMark: 2 ** 31 });
    const options = { conntrackTcpBeLiberal: true };
    const lines = [buildPostrouting(node), buildMarkMasq(node), buildForward(node, options)].flatMap(printRules);
    expect(having(lines, '0x80000000')).toHaveLength(4);
    expect(having(lines, 'INVALID')).toEqual([]);
  });
});

describe('SCTP and UDP', () => {
  it.each(['udp', 'sctp'] as const)('%s rules name their protocol', (protocol) => {
    const lines = build({ protocol, nodePort: 30_000 });
    expect(having(lines, `-p ${protocol} -m comment`).length).toBeGreaterThan(4);
    expect(having(lines, 'tcp')).toEqual([]);
  });
});

describe('node ports on some addresses only', () => {
  it('have one jump each, loopback among them only where localhost node ports are on', () => {
    const nodePortAddresses = { kind: 'list', addresses: ['172.18.0.2', '127.0.0.1'] } as const;
    const jumps = (localhostNodePorts: boolean): string[] =>
      buildNodePortJumps(buildNodeFacts({ nodePortAddresses, localhostNodePorts })).map(
        (rule) => printRule(rule).split(' ')[1]!,
      );
    expect(jumps(true)).toEqual(['172.18.0.2/32', '127.0.0.1/32']);
    expect(jumps(false)).toEqual(['172.18.0.2/32']);
  });
});
