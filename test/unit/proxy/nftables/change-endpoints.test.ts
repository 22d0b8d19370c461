import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { printRule } from '../../../../src/netfilter/nftables/print-rule.ts';
import type { Chain } from '../../../../src/netfilter/nftables/table.ts';
import type { Endpoint } from '../../../../src/proxy/facts/endpoint.ts';
import { buildPortRules } from '../../../../src/proxy/nftables/build-port-rules.ts';
import type { RuleContext, SharedElement } from '../../../../src/proxy/nftables/build-service-chain.ts';
import { changeEndpoints } from '../../../../src/proxy/nftables/change-endpoints.ts';
import { compareElements } from '../../../../src/proxy/nftables/compare-elements.ts';
import { compareNamed } from '../../../../src/proxy/nftables/compare-named.ts';
import { EndpointRanges } from '../../../../src/proxy/nftables/endpoint-ranges.ts';
import {
  buildNodeFacts,
  buildProxyEndpoint,
  buildSelectedPort,
  buildServicePort,
} from '../../../helpers/build-proxy-facts.ts';

const node = buildNodeFacts();
const ranges = new EndpointRanges();
const inline: RuleContext = { node, dispatch: { kind: 'inline' } };
const shared: RuleContext = { node, dispatch: { kind: 'shared', rangeOf: (chain) => ranges.rangeOf(chain) } };

const printChain = ({ name, rules }: Chain): string => `${name}\n${rules.map(printRule).join('\n')}`;
const byText = (elements: readonly SharedElement[]): string[] => elements.map((one) => JSON.stringify(one)).sort();

const endpoints = fc
  .uniqueArray(fc.integer({ min: 1, max: 12 }), { maxLength: 8 })
  .chain((hosts) =>
    fc.tuple(
      ...hosts.map((host) =>
        fc
          .record({ nodeName: fc.constantFrom('node-1', 'node-2'), ready: fc.boolean(), terminating: fc.boolean() })
          .map((more) => buildProxyEndpoint({ ip: `10.244.0.${host}`, ...more })),
      ),
    ),
  )
  .map((list: Endpoint[]) => list.sort((a, b) => (a.address < b.address ? -1 : 1)));

describe.each([
  ['in the rules', inline],
  ['in shared maps', shared],
])('with endpoints %s', (_, context) => {
  test('a change of endpoints alone says what comparing all rules says', () => {
    const ports = fc.record({
      nodePort: fc.constantFrom(0, 30_080),
      externalPolicyLocal: fc.boolean(),
      internalPolicyLocal: fc.boolean(),
      balancing: fc.constantFrom(undefined, 'round-robin' as const),
    });
    fc.assert(
      fc.property(ports, endpoints, endpoints, (options, old, now) => {
        const port = buildServicePort(options);
        const [before, after] = [buildSelectedPort(port, old, node), buildSelectedPort(port, now, node)];
        const change = changeEndpoints(before, after, context);
        if (change === undefined) return;
        const [all, next] = [buildPortRules(before, context), buildPortRules(after, context)];
        const { added, changed, removed } = compareNamed(all.chains, next.chains, printChain);
        expect([added, removed]).toEqual([[], []]);
        expect(change.chains.map(printChain)).toEqual(changed.map(printChain));
        const elements = compareElements(all.elements, next.elements);
        expect(byText(change.elements.added)).toEqual(byText(elements.added));
        expect(byText(change.elements.removed)).toEqual(byText(elements.removed));
      }),
      { numRuns: 300 },
    );
  });
});

test('the last endpoint that goes changes more than endpoints, and so does session affinity', () => {
  const port = buildServicePort();
  const some = buildSelectedPort(port, [buildProxyEndpoint()], node);
  const none = buildSelectedPort(port, [], node);
  expect(changeEndpoints(some, none, shared)).toBeUndefined();
  const sticky = buildServicePort({ affinitySeconds: 10 });
  const [one, other] = ['10.244.0.2', '10.244.0.3'].map((ip) =>
    buildSelectedPort(sticky, [buildProxyEndpoint({ ip })], node),
  );
  expect(changeEndpoints(one!, other!, shared)).toBeUndefined();
});
