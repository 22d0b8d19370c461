// Sends each datagram back, many with each call. Argument: the port.
import { EPOLLIN, MSG_DONTWAIT } from '../../src/proxy/userspace/engine/constants.ts';
import { MessageBatch } from '../../src/proxy/userspace/engine/message-batch.ts';
import { Poller } from '../../src/proxy/userspace/engine/poller.ts';
import { loadSystem } from '../../src/proxy/userspace/engine/system.ts';
import { openUdp } from './udp-socket.ts';

const system = loadSystem();
const poller = new Poller(system);
const batch = new MessageBatch(system, 64);
const fd = openUdp(Number(process.argv[2]));
poller.add(fd, EPOLLIN, {
  onEvents() {
    batch.prepare(0, batch.size);
    const count = system.recvmmsg(fd, batch.header(0), batch.size, MSG_DONTWAIT, null);
    for (let index = 0; index < count; index++) batch.setLength(index, batch.lengthOf(index));
    if (count > 0) system.sendmmsg(fd, batch.header(0), count, 0);
  },
});
for (;;) poller.dispatch(poller.wait(-1), (error) => process.stderr.write(`${String(error)}\n`));
