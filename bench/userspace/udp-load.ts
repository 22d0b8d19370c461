// Datagrams of 64 bytes by 16 clients: 8 of each under way at any time, or so many a second of all together.
// Arguments: port, seconds, rate (0: as fast as answers come). Prints what was sent and received as JSON.
import { EPOLLIN, MSG_DONTWAIT } from '../../src/proxy/userspace/engine/constants.ts';
import { MessageBatch } from '../../src/proxy/userspace/engine/message-batch.ts';
import { Poller } from '../../src/proxy/userspace/engine/poller.ts';
import { loadSystem } from '../../src/proxy/userspace/engine/system.ts';
import { encodeSocketAddress } from '../../src/proxy/userspace/socket-address.ts';
import { openUdp } from './udp-socket.ts';

const [port = 0, seconds = 1, rate = 0] = process.argv.slice(2).map(Number);
const CLIENTS = 16;
const UNDER_WAY = 8;
const BYTES = 64;

const system = loadSystem();
const poller = new Poller(system);
const received = new MessageBatch(system, 64);
const outgoing = new MessageBatch(system, 64);
for (let index = 0; index < outgoing.size; index++) {
  outgoing.setLength(index, BYTES);
  outgoing.setName(index, undefined);
}
const address = encodeSocketAddress({ host: '127.0.0.1', port });
let sent = 0;
let answered = 0;

function send(fd: number, count: number): void {
  sent += Math.max(0, system.sendmmsg(fd, outgoing.header(0), count, MSG_DONTWAIT));
}

const sockets = Array.from({ length: CLIENTS }, () => {
  const fd = openUdp(0);
  system.connect(fd, address, address.length);
  poller.add(fd, EPOLLIN, {
    onEvents() {
      received.prepare(0, received.size);
      const count = system.recvmmsg(fd, received.header(0), received.size, MSG_DONTWAIT, null);
      if (count <= 0) return;
      answered += count;
      if (rate === 0 && performance.now() < end) send(fd, count);
    },
  });
  return fd;
});
const start = performance.now();
const end = start + seconds * 1000;
const onError = (error: unknown): void => void process.stderr.write(`${String(error)}\n`);

if (rate === 0) for (const fd of sockets) send(fd, UNDER_WAY);
for (let turn = 0; performance.now() < end; turn++) {
  const due = ((performance.now() - start) / 1000) * rate;
  // Lost ones would leave the loop idle for ever.
  const count = poller.wait(rate === 0 ? 100 : 1);
  if (rate === 0 && count === 0) for (const fd of sockets) send(fd, 1);
  poller.dispatch(count, onError);
  for (let missing = Math.floor(due - sent); missing > 0; missing -= UNDER_WAY) {
    send(sockets[turn++ % CLIENTS]!, Math.min(missing, UNDER_WAY));
  }
}
for (let idle = 0; idle < 3 && answered < sent; ) {
  const count = poller.wait(100);
  poller.dispatch(count, onError);
  idle = count === 0 ? idle + 1 : 0;
}
process.stdout.write(JSON.stringify({ sent, answered, seconds }));
process.exit();
