import { expect, test } from 'vitest';
import { printStatement } from '../../../../src/netfilter/nftables/print-rule.ts';
import type { LocalDetector, NodeNetwork } from '../../../../src/proxy/facts/node-network.ts';
import { ifFromPod } from '../../../../src/proxy/nftables/phrases.ts';
import { buildNodeFacts } from '../../../helpers/build-proxy-facts.ts';
import { loadVectors, type Vector } from '../../../helpers/proxy-vectors.ts';

interface DetectorVector extends Vector {
  readonly mode: string;
  readonly parameter: string;
  readonly expect: { readonly nftIfLocal?: string; readonly nftIfNotLocal?: string; readonly implemented?: boolean };
}

function nodeOf({ mode, parameter }: DetectorVector): NodeNetwork {
  const detector: LocalDetector =
    parameter === ''
      ? { kind: 'none' }
      : mode === 'ClusterCIDR'
        ? { kind: 'cidr', cidr: parameter }
        : { kind: 'interface', name: parameter };
  return buildNodeFacts({ family: parameter.includes(':') ? 'ipv6' : 'ipv4', localDetector: detector });
}

const print = (node: NodeNetwork, not: boolean): string | undefined => {
  const statement = ifFromPod(node, not);
  return statement === undefined ? undefined : printStatement(statement);
};

// 1.30 wrote `iif br0`, an index that is looked up when the rule is made; later releases compare names, and so do we.
const byName = (text: string | undefined): string | undefined => text?.replace(/^iif (!= )?(\S+)$/, 'iifname $1"$2"');

test.each(loadVectors<DetectorVector>('local-detector').map((vector) => [vector.id, vector] as const))(
  '%s',
  (_id, vector) => {
    expect(print(nodeOf(vector), false)).toBe(byName(vector.expect.nftIfLocal));
    expect(print(nodeOf(vector), true)).toBe(byName(vector.expect.nftIfNotLocal));
  },
);

test('an interface prefix matches all names that begin so', () => {
  const node = buildNodeFacts({ localDetector: { kind: 'interface-prefix', prefix: 'veth' } });
  expect(print(node, true)).toBe('iifname != "veth*"');
});
