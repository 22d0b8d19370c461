import { closeSync } from 'node:fs';
import { Socket } from 'node:net';
import { PassThrough, Readable, Writable } from 'node:stream';
import { openPipe } from './open-pipe.ts';
import { openPseudoTerminal } from './pseudo-terminal.ts';

/** Both sides of a program's standard streams. */
export interface ProgramEnds {
  /** Descriptors 0, 1 and 2 of the program. */
  readonly ofChild: readonly (number | 'ignore')[];
  readonly stdin: Writable;
  readonly stdout: Readable;
  readonly stderr: Readable;
  resize(columns: number, rows: number): void;
  /** To be called when the program has its own copies. */
  closeOfChild(): void;
  /** Gives our side up, for a program that did not start. */
  destroy(): void;
}

/**
 * Opens pipes for a program. Pipes of Node are sockets, which cannot be opened by name: a program that writes to /dev/stdout
 * or /proc/1/fd/1, as many that are made for containers do, would fail.
 */
export function openPipeEnds(input: 'pipe' | 'ignore'): ProgramEnds {
  const stdin = input === 'pipe' ? openPipe() : undefined;
  const [stdout, stderr] = [openPipe(), openPipe()];
  const inputStream = stdin === undefined ? new Writable().destroy() : new Socket({ fd: stdin.write, readable: false });
  const outputs = [stdout, stderr].map(({ read }) => new Socket({ fd: read, writable: false })) as [Socket, Socket];
  return {
    ofChild: [stdin?.read ?? 'ignore', stdout.write, stderr.write],
    stdin: inputStream,
    stdout: outputs[0],
    stderr: outputs[1],
    resize: () => {},
    closeOfChild: () => {
      for (const fd of [stdin?.read, stdout.write, stderr.write]) if (fd !== undefined) closeSync(fd);
    },
    destroy: () => {
      for (const stream of [inputStream, ...outputs]) stream.destroy();
    },
  };
}

/** Opens a terminal for a program: all three streams are the same. */
export function openTerminalEnds(): ProgramEnds {
  const { master, slave, resize, closeSlave } = openPseudoTerminal();
  const output = new PassThrough();
  // Reading the master fails with EIO once every copy of the slave is closed: that is how a terminal says end of file.
  master.on('error', () => output.end());
  master.pipe(output);
  return {
    ofChild: [slave, slave, slave],
    stdin: master,
    stdout: output,
    stderr: Readable.from([]),
    resize,
    closeOfChild: closeSlave,
    destroy: () => void master.destroy(),
  };
}
