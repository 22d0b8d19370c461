import type { Writable } from 'node:stream';
import type { ExitStatus, ProcessStreams } from '../../kube/kubelet-connection.ts';
import type { ContainerLog, OutputStream } from '../container/container-log.ts';

/** Where the output of a container's main program goes: its log, and everybody who is attached at the moment. */
export class ContainerOutput {
  readonly #log: ContainerLog;
  readonly #attached = new Set<ProcessStreams>();

  constructor(log: ContainerLog) {
    this.#log = log;
  }

  write(stream: OutputStream, chunk: Buffer | string): void {
    this.#log.write(stream, chunk);
    for (const streams of this.#attached) targetOf(streams, stream)?.write(chunk);
  }

  /**
   * Shows the output to `streams` until the program ends or their signal aborts. `fromStart` shows what has been printed
   * already, too: to whom started the container in order to attach to it (stdinOnce), a prompt or the output of a program
   * that is over at once must not depend on who was quicker.
   */
  async attach(streams: ProcessStreams, exited: Promise<ExitStatus>, fromStart: boolean): Promise<ExitStatus> {
    if (fromStart) for (const { stream, text } of this.#log.chunks()) targetOf(streams, stream)?.write(text);
    const detached = new Promise<ExitStatus>((resolve) => {
      const leave = (): void => resolve({ exitCode: 0 });
      if (streams.signal.aborted) leave();
      else streams.signal.addEventListener('abort', leave, { once: true });
    });
    this.#attached.add(streams);
    const status = await Promise.race([exited, detached]);
    this.#attached.delete(streams);
    return status;
  }
}

function targetOf({ stdout, stderr }: ProcessStreams, stream: OutputStream): Writable | undefined {
  const target = stream === 'stdout' ? stdout : stderr;
  return target?.writable ? target : undefined;
}
