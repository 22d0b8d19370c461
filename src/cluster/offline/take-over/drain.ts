import { setTimeout as delay } from 'node:timers/promises';
import type { ProxyLog } from '../../../proxy/proxy-log.ts';
import type { MovableTransport } from '../../../proxy/userspace/movable-transport.ts';
import type { TransportLimits } from '../../../proxy/userspace/transport.ts';

export interface DrainOptions {
  /** The process that serves instead. */
  readonly pid: number;
  readonly limits: Pick<TransportLimits, 'drainMs'>;
  /** Resolves with a signal that ends it early. */
  readonly told: Promise<string>;
  readonly log: (entry: ProxyLog) => void;
}

/** Carries the connections that are left until they end or the drain time-out has passed. */
export async function drain(transport: MovableTransport, { pid, limits, told, log }: DrainOptions): Promise<void> {
  const ended = transport.retire();
  const count = (await transport.connections()).length;
  log({ level: 'info', message: `process ${pid} has taken over; connections that go on here: ${count}` });
  const { drainMs } = limits;
  await Promise.race([ended, told, ...(drainMs === undefined ? [] : [delay(drainMs, undefined, { ref: false })])]);
  const left = (await transport.connections()).length;
  log({ level: 'info', message: left === 0 ? 'the last connection has ended' : `ending; connections reset: ${left}` });
}
