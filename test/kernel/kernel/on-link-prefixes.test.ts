import { expect, it } from 'vitest';
import { links } from '../../../src/kernel/netlink/links.ts';
import { NetworkNamespace } from '../../../src/kernel/network-namespace.ts';
import { onLinkPrefixes } from '../../../src/kernel/on-link-prefixes.ts';

it('hosts of a bridge are neighbours, those behind a route of their own or a gateway are not', async () => {
  await using netns = NetworkNamespace.create('neighbours');
  links.apply(netns, [
    { kind: 'addBridge', name: 'cni0', up: true },
    { kind: 'addAddress', link: 'cni0', address: '10.244.1.1/24' },
    { kind: 'addAddress', link: 'cni0', address: 'fd00:10:244:1::1/64' },
    { kind: 'addVeth', name: 'pod', up: true, peer: { name: 'pod-peer' } },
    { kind: 'addRoute', destination: '10.244.2.7/32', link: 'pod' },
    { kind: 'addRoute', destination: 'fd00:10:244:2::7/128', link: 'pod' },
    { kind: 'addRoute', destination: '0.0.0.0/0', gateway: '10.244.1.254' },
    { kind: 'addRoute', destination: 'fd00:10:244:3::/64', gateway: 'fd00:10:244:1::254' },
  ]);
  expect(onLinkPrefixes(netns, 'ipv4')).toEqual(['10.244.1.0/24']);
  const v6 = onLinkPrefixes(netns, 'ipv6');
  expect(v6).toContain('fd00:0010:0244:0001:0000:0000:0000:0000/64');
  expect(v6.filter((prefix) => prefix.startsWith('fd00'))).toHaveLength(1);
});
