import type { Dial } from './http-probe.ts';
import { dialError, joinHostPort, type ProbeOutcome } from './probe-outcome.ts';

export interface TcpProbeOptions {
  readonly host: string;
  readonly port: number;
  readonly dial: Dial;
  readonly signal: AbortSignal;
}

/** Opens a TCP connection and closes it: success when it is accepted. */
export function probeTcp({ host, port, dial, signal }: TcpProbeOptions): Promise<ProbeOutcome> {
  const address = joinHostPort(host, port);
  return new Promise((resolve) => {
    const socket = dial(host, port);
    const end = (outcome: ProbeOutcome): void => {
      socket.destroy();
      resolve(outcome);
    };
    signal.addEventListener('abort', () => end({ result: 'failure', message: `dial tcp ${address}: i/o timeout` }), {
      once: true,
    });
    socket.once('connect', () => end({ result: 'success' }));
    socket.once('error', (error) => end({ result: 'failure', message: dialError(address, error) }));
  });
}
