import { describe, expect, it } from 'vitest';
import { printHostLink } from '../../../src/kernel/host-link.ts';

const plan = {
  innerPid: 42,
  addresses: ['172.18.1.2/16', 'fc00::102/64'],
  routes: [
    { destination: '10.96.0.0/16', gateway: '172.18.0.2' },
    { destination: 'fd00:10:96::/112', gateway: 'fc00::2' },
  ],
};

describe('the link of a container into its sandbox', () => {
  it('has the routes of both families', () => {
    expect(printHostLink(plan, true)).toEqual([
      'link add towtank0 type veth peer name plug0 netns 42',
      'link set towtank0 up',
      'addr add 172.18.1.2/16 dev towtank0',
      'addr add fc00::102/64 dev towtank0 nodad',
      'route add 10.96.0.0/16 via 172.18.0.2 dev towtank0',
      'route add fd00:10:96::/112 via fc00::2 dev towtank0',
    ]);
  });

  it('leaves IPv6 away where the container has none', () => {
    expect(printHostLink(plan, false).join('\n')).not.toMatch(/fc00|fd00/);
  });
});
