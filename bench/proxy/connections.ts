// How long a new TCP connection takes, from connect(2) to the answer of a server: blocking calls from a pod of the node, without
// an event loop in between; the server runs in another thread.
import { once } from 'node:events';
import { closeSync } from 'node:fs';
import { Worker } from 'node:worker_threads';
import { AF_INET, SOCK_STREAM } from '../../src/kernel/ffi/constants.ts';
import { internetAddress } from '../../src/kernel/ffi/socket-address.ts';
import { openSocket, systemCall } from '../../src/kernel/ffi/system-calls.ts';
import { listenTcp } from '../../src/kernel/sockets.ts';
import type { PacketLab } from '../../test/helpers/packet-lab.ts';
import { quantile } from './statistics.ts';

export interface Target {
  readonly name: string;
  readonly host: string;
  readonly port: number;
}

const TURNS = 3000;
const SOL_SOCKET = 1;
const SO_LINGER = 13;
// On, for no time: closing resets the connection, so that ports and connection tracking do not fill up.
const LINGER = Buffer.from([1, 0, 0, 0, 0, 0, 0, 0]);

/** Starts the server on this port of all backends of a lab. */
export async function startGreeter(lab: PacketLab, port: number): Promise<AsyncDisposable> {
  const fd = listenTcp(lab.backends, { host: '0.0.0.0', port, backlog: 4096 });
  const worker = new Worker(new URL('./greeter.ts', import.meta.url), { workerData: fd });
  await once(worker, 'message');
  return {
    [Symbol.asyncDispose]: async () => {
      await worker.terminate();
    },
  };
}

/** Median microseconds per target. Targets take turns, so that a busy moment of the machine hits all of them. */
export function measureConnections(lab: PacketLab, targets: readonly Target[]): ReadonlyMap<string, number> {
  const asked = targets.map(({ name, host, port }) => ({
    name,
    address: internetAddress(host, port),
    times: [] as number[],
  }));
  for (let turn = 0; turn < TURNS; turn++) {
    for (const { address, times } of asked) times.push(lab.pods.run(() => connectOnce(address)));
  }
  return new Map(asked.map(({ name, times }) => [name, quantile(times, 0.5)]));
}

const answer = Buffer.alloc(16);

function connectOnce(address: Buffer): number {
  const fd = openSocket(AF_INET, SOCK_STREAM, 0);
  try {
    systemCall('setsockopt', [fd, SOL_SOCKET, SO_LINGER, LINGER, LINGER.length]);
    const began = process.hrtime.bigint();
    systemCall('connect', [fd, address, address.length]);
    systemCall('recv', [fd, answer, answer.length, 0]);
    return Number(process.hrtime.bigint() - began) / 1000;
  } finally {
    closeSync(fd);
  }
}
