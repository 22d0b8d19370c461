import { closeSync, constants, openSync } from 'node:fs';
import { ReadStream } from 'node:tty';
import { TIOCGPTN, TIOCSPTLCK, TIOCSWINSZ } from '../ffi/constants.ts';
import { systemCall } from '../ffi/system-calls.ts';

/** Both ends of a terminal: programs get `slave`, we read and write `master`. */
export interface PseudoTerminal {
  readonly master: ReadStream;
  readonly slave: number;
  resize(columns: number, rows: number): void;
  /** To be called when the program has its own copy of the slave. */
  closeSlave(): void;
}

/** Opens a pseudo terminal of 80 columns and 24 rows. Throws ERR_SYSCALL. */
export function openPseudoTerminal(): PseudoTerminal {
  const masterFd = openSync('/dev/ptmx', constants.O_RDWR | constants.O_NOCTTY);
  const number = Buffer.alloc(4);
  systemCall('ioctl', [masterFd, TIOCSPTLCK, Buffer.alloc(4)], { subject: 'unlock terminal' });
  systemCall('ioctl', [masterFd, TIOCGPTN, number], { subject: 'number of terminal' });
  const slave = openSync(`/dev/pts/${number.readUInt32LE()}`, constants.O_RDWR | constants.O_NOCTTY);
  const resize = (columns: number, rows: number) => {
    systemCall('ioctl', [masterFd, TIOCSWINSZ, windowSize(columns, rows)]);
  };
  resize(80, 24);
  return { master: new ReadStream(masterFd), slave, resize, closeSlave: () => closeSync(slave) };
}

/** `struct winsize`: rows, columns and two sizes in pixels that nobody uses. */
function windowSize(columns: number, rows: number): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeUInt16LE(rows, 0);
  bytes.writeUInt16LE(columns, 2);
  return bytes;
}
