import { expect, it } from 'vitest';
import { leaveNothing } from '../../helpers/leak-check.ts';
import { addLinkLocal, askFromLinkLocal } from '../../helpers/link-local-client.ts';
import { TRANSPORTS, TransportLab } from '../../helpers/transport-lab.ts';

leaveNothing();

// Only with its link such an address can be bound, which nobody behind the proxy has.
it.each(TRANSPORTS)('a client whose address cannot be had is served from that of the node by %s', async (kind) => {
  await using lab = new TransportLab(kind, { v6: true });
  addLinkLocal(lab.netns);
  const seen: (string | undefined)[] = [];
  const target = await lab.serve((socket) => {
    seen.push(socket.remoteAddress);
    socket.once('data', (line) => socket.end(line));
  });
  const { port } = lab.listen([{ ...target, asClient: true }], { host: '::' });
  expect(await askFromLinkLocal(lab.netns, port, 'hello')).toBe('hello\n');
  expect(seen).toEqual(['::1']);
  expect(lab.errors.map(String)).toEqual([expect.stringContaining('bind')]);
});
