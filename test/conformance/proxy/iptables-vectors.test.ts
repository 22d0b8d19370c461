import { describe, expect, it } from 'vitest';
import { parseRule } from '../../../src/netfilter/iptables/parse-rule.ts';
import { printRule } from '../../../src/netfilter/iptables/print-rule.ts';
import type { Match, Rule } from '../../../src/netfilter/iptables/rule.ts';
import type { LocalDetector, NodeNetwork } from '../../../src/proxy/facts/node-network.ts';
import { buildEndpointRules, probability } from '../../../src/proxy/iptables/build-endpoint-rules.ts';
import {
  buildForward,
  buildKubeletFirewall,
  buildPostrouting,
} from '../../../src/proxy/iptables/build-fixed-chains.ts';
import { endpointChain, serviceChains } from '../../../src/proxy/iptables/chain-names.ts';
import { ifLocal, ifNotLocal } from '../../../src/proxy/iptables/phrases.ts';
import { buildNodeFacts, buildProxyEndpoint, buildServicePort } from '../../helpers/build-proxy-facts.ts';
import { loadVectors, type Vector } from '../../helpers/proxy-vectors.ts';

interface Names extends Vector {
  readonly cases: readonly {
    readonly servicePortName: string;
    readonly protocol: 'tcp' | 'udp';
    readonly endpoint?: string;
    readonly chains: Readonly<Partial<Record<'SVC' | 'SVL' | 'EXT' | 'FW' | 'SEP', string>>>;
  }[];
}

describe('chain names are hashes of names, protocols and endpoints', () => {
  const cases = loadVectors<Names>('names').flatMap((vector) => vector.cases);
  it.each(cases)('$servicePortName $protocol $endpoint', ({ servicePortName, protocol, endpoint, chains }) => {
    const port = { ...buildServicePort({ protocol }), text: servicePortName };
    if (endpoint !== undefined) expect(endpointChain(port, endpoint)).toBe(chains.SEP);
    else {
      const { cluster, local, external, firewall } = serviceChains(port);
      expect({ SVC: cluster, SVL: local, EXT: external, FW: firewall }).toEqual(chains);
    }
  });
});

interface Probability extends Vector {
  readonly cases: readonly { readonly n: number; readonly text: string }[];
}

describe('a share of one in n is written with ten decimals', () => {
  const cases = loadVectors<Probability>('probability').flatMap((vector) => vector.cases);
  it.each(cases)('$n: $text', ({ n, text }) => {
    expect(probability(n)).toBe(text);
  });
});

interface Distribution extends Vector {
  readonly cases: readonly { readonly n: number; readonly ruleProbabilities: readonly string[] }[];
}

describe('rule i of n takes one in n-i, the last takes the rest', () => {
  const cases = loadVectors<Distribution>('distribution').flatMap((vector) => vector.cases);
  it.each(cases)('of $n endpoints', ({ n, ruleProbabilities }) => {
    const endpoints = Array.from({ length: n }, (_, index) => buildProxyEndpoint({ ip: `10.1.0.${index + 1}` }));
    const rules = buildEndpointRules({
      port: buildServicePort(),
      endpoints,
      context: { node: buildNodeFacts(), largeCluster: false },
    });
    const probabilities = rules.map(({ matches }) => matches.find(({ kind }) => kind === 'statistic-random'));
    expect(probabilities.at(-1)).toBeUndefined();
    expect(probabilities.slice(0, -1).map((match) => (match as { probability: string }).probability)).toEqual(
      ruleProbabilities,
    );
  });
});

interface DetectorVector extends Vector {
  readonly mode: string;
  readonly parameter: string;
  readonly expect: {
    readonly iptablesIfLocal?: string;
    readonly iptablesIfNotLocal?: string;
    readonly implemented?: boolean;
  };
}

describe('local traffic is recognised as the mode says', () => {
  it.each(loadVectors<DetectorVector>('local-detector'))('$id', ({ mode, parameter, expect: wanted }) => {
    const detector: LocalDetector =
      mode === 'BridgeInterface'
        ? { kind: 'interface', name: parameter }
        : parameter === ''
          ? { kind: 'none' }
          : { kind: 'cidr', cidr: parameter };
    const text = (matches: readonly Match[] | undefined): string | undefined => matches && printRule({ matches });
    expect(text(ifLocal(detector))).toBe(wanted.iptablesIfLocal);
    expect(text(ifNotLocal(detector))).toBe(wanted.iptablesIfNotLocal);
  });
});

interface FixedRules extends Vector {
  readonly condition: {
    readonly nfConntrackTcpBeLiberal?: boolean;
    readonly localhostNodePorts?: boolean;
    readonly randomFully?: boolean;
    readonly ipFamily?: string;
  };
  readonly chain: string;
  readonly rules: readonly string[];
}

describe('fixed chains hold what kube-proxy writes', () => {
  // --random-fully is always written: iptables has it since 1.6.2 of 2018.
  const vectors = loadVectors<FixedRules>('fixed-rules').filter(({ condition }) => condition.randomFully !== false);
  it.each(vectors)('$id: $title', ({ chain, condition, rules }) => {
    const { localhostNodePorts = true } = condition;
    const built = fixedChain(chain, buildNodeFacts({ localhostNodePorts }), condition.nfConntrackTcpBeLiberal ?? false);
    expect(built.map(withoutComments).map(printRule)).toEqual(rules.map((text) => printRule(parseRule(text))));
  });
});

function fixedChain(name: string, node: NodeNetwork, conntrackTcpBeLiberal: boolean): readonly Rule[] {
  if (name === 'KUBE-FORWARD') return buildForward(node, { conntrackTcpBeLiberal }).rules;
  if (name === 'KUBE-FIREWALL') return buildKubeletFirewall(node).rules;
  return buildPostrouting(node).rules;
}

function withoutComments(rule: Rule): Rule {
  return { ...rule, matches: rule.matches.filter(({ kind }) => kind !== 'comment') };
}
