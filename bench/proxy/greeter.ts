// A server in a thread of its own: greets whoever connects, and closes.
import { createServer } from 'node:net';
import { parentPort, workerData } from 'node:worker_threads';

const server = createServer({ noDelay: true }, (socket) => {
  socket.on('error', () => socket.destroy());
  socket.end('hello');
});
server.listen({ fd: workerData as number }, () => parentPort?.postMessage('listening'));
