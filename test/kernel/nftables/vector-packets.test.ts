import { describe, expect, test } from 'vitest';
import { createNftRunner } from '../../../src/kernel/runners/nft-runner.ts';
import { NftablesBackend } from '../../../src/proxy/nftables/nftables-backend.ts';
import { leaveNothing } from '../../helpers/leak-check.ts';
import { familyOfVector, loadVectors, stateOfVector } from '../../helpers/proxy-vectors.ts';
import { SteppedClock } from '../../helpers/stepped-clock.ts';
import { createVectorLab, judgePacket, packetsOf, type SentPacket, sendPackets } from '../../helpers/vector-packets.ts';

const vectors = loadVectors('packet-flow').filter(({ modes }) => modes.includes('nftables'));

leaveNothing();

function judge(sent: SentPacket): void {
  judgePacket(sent, ({ backend, seenSource }, { sourceIP }, { masquerade, masqueradeByEndpoint }) => {
    const wanted = masqueradeByEndpoint?.[backend] ?? masquerade;
    expect(seenSource !== sourceIP, `${backend} sees ${seenSource}`).toBe(wanted);
  });
}

describe.each([
  { form: 'inline', inlineLimit: 1000 },
  { form: 'shared', inlineLimit: -1 },
])('real packets through nftables rules with $form endpoints', ({ form, inlineLimit }) => {
  test('there are packets to send', () => {
    expect(vectors.flatMap(packetsOf).length).toBeGreaterThan(150);
  });

  // Some packets are waited for in vain: each vector has a network of its own, so that others are sent meanwhile.
  test.concurrent.each(vectors.map((vector) => [vector.id, vector] as const))('%s', async (id, vector) => {
    await using lab = await createVectorLab(vector, `${form}-${id}`);
    const runner = createNftRunner(lab.node);
    const family = familyOfVector(vector.nodeState);
    const backend = new NftablesBackend({ family, runner, clock: new SteppedClock(), inlineLimit });
    await backend.sync(stateOfVector(vector, 'nftables'), 'all');
    for (const sent of await sendPackets(lab, vector, 'nftables')) judge(sent);
  });
});
