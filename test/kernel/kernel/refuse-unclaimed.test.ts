import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { afterEach, describe, expect, test } from 'vitest';
import { NetworkNamespace } from '../../../src/kernel/network-namespace.ts';
import { createNftRunner } from '../../../src/kernel/runners/nft-runner.ts';
import { connectTcp } from '../../../src/kernel/sockets.ts';
import { refuseUnclaimed } from '../../../src/kernel/topology/refuse-unclaimed.ts';
import { createLab } from '../../helpers/kernel-lab.ts';
import { leaveNothing } from '../../helpers/leak-check.ts';

leaveNothing();
// The fabric of a lab stands in the namespace that all tests of this file share.
afterEach(async () => {
  const runner = createNftRunner(NetworkNamespace.current());
  for (const family of ['ip', 'ip6']) {
    await runner.run(`add table ${family} towtank-unclaimed\ndelete table ${family} towtank-unclaimed\n`);
  }
});

const SERVICES = ['10.96.0.0/16', 'fd00:10:96::/108'];
const TRIES = 20;

async function connect(netns: NetworkNamespace, host: string): Promise<string> {
  const socket = connectTcp(netns, { host, port: 80 });
  const [error] = (await once(socket, 'error')) as [NodeJS.ErrnoException];
  socket.destroy();
  return error.code ?? '';
}

// How many SYNs had to be sent again: what a first one that is lost costs is a second.
function retransmitted(netns: NetworkNamespace): number {
  const text = netns.run(() => readFileSync('/proc/thread-self/net/netstat', 'utf8'));
  const [names = [], values = []] = text.split('\n').map((line) => line.split(' '));
  return Number(values[names.indexOf('TCPSynRetrans')]);
}

describe('connections to Services that no proxy knows', () => {
  test('wait for a second when nobody answers for the missing route', async () => {
    await using lab = await createLab({ nodes: 1, podsPerNode: 1 });
    const { netns } = lab.pods[0]!;
    for (let i = 0; i < 7; i++) await connect(netns, '10.96.0.10');
    expect(retransmitted(netns)).toBeGreaterThan(0);
  });

  test.each(['10.96.0.10', 'fd00:10:96::10'])('are refused at once, however many they are: %s', async (host) => {
    await using lab = await createLab({ nodes: 1, podsPerNode: 1 });
    expect(await refuseUnclaimed(lab.root.netns, SERVICES)).toBeUndefined();
    const { netns } = lab.pods[0]!;
    for (let i = 0; i < TRIES; i++) expect(await connect(netns, host)).toBe('ECONNREFUSED');
    // Without an answer each from the sixth on is sent again. A busy machine may be late with one.
    expect(retransmitted(netns)).toBeLessThan(TRIES / 4);
  });

  test.each(['10.96.0.10', 'fd00:10:96::10'])('datagrams are refused too: %s', async (host) => {
    await using lab = await createLab({ nodes: 1, podsPerNode: 1 });
    await refuseUnclaimed(lab.root.netns, SERVICES);
    // The kernel sends one host so many ICMP errors a second and no more; those of the tests before count.
    const ask = () => lab.ask(lab.pods[0]!, { host, port: 53, protocol: 'udp' });
    await expect.poll(ask).toMatchObject({ failure: 'ECONNREFUSED' });
  });

  test('what is no Service is none of its business', async () => {
    await using lab = await createLab({ nodes: 2, podsPerNode: 1 });
    await refuseUnclaimed(lab.root.netns, SERVICES);
    const [from, to] = lab.pods;
    await lab.serve(to!, { port: 80 });
    expect(await lab.ask(from!, { host: to!.addresses[0]!, port: 80 })).toMatchObject({ answer: to!.name });
    expect(await connect(from!.netns, '198.51.100.1')).toBe('ENETUNREACH');
  });
});
