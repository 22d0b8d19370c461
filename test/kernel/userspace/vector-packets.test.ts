import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { EngineTransport } from '../../../src/proxy/userspace/engine/engine-transport.ts';
import { DEFAULT_LIMITS } from '../../../src/proxy/userspace/transport.ts';
import { leaveNothing } from '../../helpers/leak-check.ts';
import { familyOfVector, loadVectors, stateOfVector } from '../../helpers/proxy-vectors.ts';
import { createUserspaceBackend } from '../../helpers/userspace-node.ts';
import { createVectorLab, judgePacket, type SentPacket, sendPackets } from '../../helpers/vector-packets.ts';

leaveNothing();

let transport: EngineTransport;
const errors: unknown[] = [];
beforeAll(() => {
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
    const family = familyOfVector(vector.nodeState);
    const backend = await createUserspaceBackend(lab, { transport, family, portalRules: mode });
    await backend.sync(stateOfVector(vector, mode), 'all');
    for (const sent of await sendPackets(lab, vector, mode)) judge(sent);
    await backend.cleanup();
    expect(transport.listeners(vector.nodeState.nodeName, family).size).toBe(0);
  });
});
