import { describe, expect, it } from 'vitest';
import {
  buildEverybody,
  buildFlatAddresses,
  buildFlatLink,
  buildMasqueradeAddresses,
  buildSender,
  buildSenderRemoval,
} from '../../../../src/kernel/topology/flat-operations.ts';

const ranges = { nodes: ['172.18.0.0/16'], pods: ['10.244.0.0/16'], services: ['10.96.0.0/16'] };
const pod = { uid: 50_005, addresses: ['10.244.1.7'], isInside: true };

describe('the flat network as operations', () => {
  it('puts the table of local addresses behind those of the places', () => {
    const rules = buildFlatLink().filter(({ kind }) => kind.endsWith('Rule'));
    expect(rules.map((rule) => [rule.kind, 'priority' in rule && rule.priority])).toEqual([
      ['addRule', 2000],
      ['deleteRule', 0],
      ['addRule', 2000],
      ['deleteRule', 0],
    ]);
  });

  it('lets what a pod sends come from its address, whatever local address it goes to', () => {
    expect(buildSender(pod, ranges)).toEqual([
      {
        kind: 'addRoute',
        destination: '172.18.0.0/16',
        table: 50_005,
        type: 'local',
        link: 'lo',
        source: '10.244.1.7',
      },
      {
        kind: 'addRoute',
        destination: '10.244.0.0/16',
        table: 50_005,
        type: 'local',
        link: 'lo',
        source: '10.244.1.7',
      },
      { kind: 'addRoute', destination: '10.96.0.0/16', table: 50_005, link: 'towtank0', source: '10.244.1.7' },
      { kind: 'addRule', family: 'ipv4', priority: 1100, table: 50_005, uid: 50_005 },
    ]);
  });

  it('makes pods and Services unreachable for the client outside, and nodes not', () => {
    const routes = buildSender({ uid: 50_001, addresses: ['172.18.1.1'], isInside: false }, ranges);
    expect(routes.map((route) => ['destination' in route && route.destination, 'type' in route && route.type])).toEqual(
      [
        ['172.18.0.0/16', 'local'],
        ['10.244.0.0/16', 'unreachable'],
        ['10.96.0.0/16', 'unreachable'],
        [false, false],
      ],
    );
  });

  it('serves everybody who is no place by what this machine sends itself', () => {
    expect(buildEverybody(pod, ranges).at(-1)).toMatchObject({ priority: 1900, inputLink: 'lo' });
  });

  it('removes what it makes', () => {
    const undone = buildSenderRemoval(pod, ranges).map(({ kind, ...rest }) => ({
      ...rest,
      kind: kind.replace('delete', 'add'),
    }));
    expect(undone).toEqual(expect.arrayContaining(buildSender(pod, ranges)));
  });

  it('has the first node on lo, where masqueraded packets find their source, and all others on a link', () => {
    expect(buildMasqueradeAddresses(['172.18.0.2'])).toMatchObject([
      { link: 'lo', address: '172.18.0.2/32', label: 'lo:towtank' },
    ]);
    expect(buildFlatAddresses(['10.244.1.7'], 'addAddress')).toMatchObject([
      { link: 'towtank0', address: '10.244.1.7/32' },
    ]);
  });
});
