import { type MessagePort, receiveMessageOnPort, workerData } from 'node:worker_threads';
import type { EngineStart } from './messages.ts';
import { loadSystem } from './system.ts';
import { ThreadControl } from './thread-control.ts';

const { start, port } = workerData as { readonly start: EngineStart; readonly port: MessagePort };
const control = new ThreadControl(loadSystem(), start, {
  receive: () => receiveMessageOnPort(port)?.message,
  send: (report) => port.postMessage(report),
});
control.run();
port.close();
