import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { nodeSockets } from '../../../src/cluster/compose/node-sockets.ts';
import { createConntrackRunner } from '../../../src/kernel/runners/conntrack-runner.ts';
import { createIptablesRunner } from '../../../src/kernel/runners/iptables-runner.ts';
import { createNftRunner } from '../../../src/kernel/runners/nft-runner.ts';
import { createBackend } from '../../../src/proxy/create-backend.ts';
import { EngineTransport } from '../../../src/proxy/userspace/engine/engine-transport.ts';
import { DEFAULT_LIMITS } from '../../../src/proxy/userspace/transport.ts';
import { leakCheck } from '../../helpers/leak-check.ts';
import { familyOfVector, loadVectors, stateOfVector } from '../../helpers/proxy-vectors.ts';
import { systemClock } from '../../helpers/system-clock.ts';
import { createVectorLab, judgePacket, type SentPacket, sendPackets } from '../../helpers/vector-packets.ts';

let leaks: ReturnType<typeof leakCheck>;
let transport: EngineTransport;
const errors: unknown[] = [];
beforeAll(() => {
  leaks = leakCheck();
  transport = new EngineTransport({
    limits: DEFAULT_LIMITS,
    threads: 2,
    isLocal: true,
    onError: (error) => errors.push(error),
  });
});
afterAll(async () => {
  await transport[Symbol.asyncDispose]();
  expect(errors).toEqual([]);
  await leaks.finish();
});

// Whom an endpoint sees is the proxy, always: what vectors say of masquerading is of the kernel modes.
function judge(sent: SentPacket): void {
  judgePacket(sent, ({ seenSource }, { sourceType, sourceIP }) => {
    if (sourceType === 'pod' || sourceType === 'external') expect(seenSource).not.toBe(sourceIP);
  });
}

describe.each(['nftables', 'iptables'] as const)('real packets through userspace mode behind %s rules', (mode) => {
  const vectors = loadVectors('packet-flow').filter(({ modes }) => modes.includes(mode));

  test.each(vectors.map((vector) => [vector.id, vector] as const))('%s', async (_id, vector) => {
    await using lab = await createVectorLab(vector);
    const backend = await createBackend({
      config: { mode: 'userspace', portalRules: mode },
      family: familyOfVector(vector.nodeState),
      runners: {
        nft: createNftRunner(lab.node),
        iptables: createIptablesRunner(lab.node, { backend: 'auto' }),
        conntrack: createConntrackRunner(lab.node),
      },
      clock: systemClock,
      conntrackTcpBeLiberal: false,
      userspace: { transport, sockets: nodeSockets(lab.node) },
    });
    await backend.sync(stateOfVector(vector, mode), 'all');
    for (const sent of await sendPackets(lab, vector, mode)) judge(sent);
    await backend.cleanup();
    expect(transport.listeners(vector.nodeState.nodeName, familyOfVector(vector.nodeState)).size).toBe(0);
  });
});
