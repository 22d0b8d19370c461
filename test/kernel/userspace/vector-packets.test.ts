import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { EngineTransport } from '../../../src/proxy/userspace/engine/engine-transport.ts';
import { DEFAULT_LIMITS } from '../../../src/proxy/userspace/transport.ts';
import { leaveNothing } from '../../helpers/leak-check.ts';
import { familyOfVector, loadVectors, stateOfVector, type Vector } from '../../helpers/proxy-vectors.ts';
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

// The engine knows listeners by the name of their node: each vector has a node of its own.
function onNode(name: string, vector: Vector): Vector {
  const text = JSON.stringify(vector);
  return JSON.parse(text.replaceAll(JSON.stringify(vector.nodeState.nodeName), JSON.stringify(name))) as Vector;
}

describe.each(['nftables', 'iptables'] as const)('real packets through userspace mode behind %s rules', (mode) => {
  const vectors = loadVectors('packet-flow').filter(({ modes }) => modes.includes(mode));

  // Some packets are waited for in vain: others are sent meanwhile.
  test.concurrent.each(vectors.map((vector) => [vector.id, vector] as const))('%s', async (id, shared) => {
    const vector = onNode(`${mode}-${id}`, shared);
    await using lab = await createVectorLab(vector, vector.nodeState.nodeName);
    const family = familyOfVector(vector.nodeState);
    const backend = await createUserspaceBackend(lab, { transport, family, portalRules: mode });
    await backend.sync(stateOfVector(vector, mode), 'all');
    for (const sent of await sendPackets(lab, vector, mode)) judge(sent);
    await backend.cleanup();
    expect(transport.listeners(vector.nodeState.nodeName, family).size).toBe(0);
  });
});
