import { closeSync, readSync, writeSync } from 'node:fs';
import { SystemCallError } from '../../../errors/system-call-error.ts';
import { UserError } from '../../../errors/towtank-error.ts';
import { connectToName, peerOf } from '../../../kernel/named-sockets.ts';
import { receiveDescriptors } from '../../../kernel/pass-descriptors.ts';
import { type Answer, type AnswerLine, mapDescriptors, NAME, type Question, VERSION } from './messages.ts';

// What it does before it answers is done in milliseconds, in seconds on a busy machine.
const PATIENCE_MS = 30_000;

/**
 * The proxy in userspace mode that runs already, as the one that takes over from it sees it. Its answers are waited for without
 * doing anything else: they come at once or not at all.
 */
export class RunningProxy implements Disposable {
  readonly pid: number;
  readonly #fd: number;
  #isOpen = true;

  private constructor(fd: number) {
    this.#fd = fd;
    this.pid = peerOf(fd).pid;
  }

  /** The proxy of this network namespace; undefined when there is none in userspace mode. Throws UserError when it is somebody else's. */
  static find(): RunningProxy | undefined {
    const fd = connectToName(NAME, PATIENCE_MS);
    if (fd === undefined) return undefined;
    const { pid, uid } = peerOf(fd);
    if (uid === process.geteuid?.() || uid === 0) return new RunningProxy(fd);
    closeSync(fd);
    throw refused(pid, `it is of user ${uid}`);
  }

  /** Its sockets, of which it goes on serving; undefined when it has ended. Throws UserError ERR_PROXY_EXISTS when it refuses. */
  take(node: string): Extract<Answer, { kind: 'sockets' }> | undefined {
    const answer = this.#ask({ kind: 'take', version: VERSION, node });
    return answer?.kind === 'sockets' ? answer : undefined;
  }

  /** Stops it from serving and tells what it knows of clients; undefined when it has ended. Throws UserError ERR_PROXY_EXISTS when it has changed its mind. */
  ready(): Extract<Answer, { kind: 'clients' }> | undefined {
    const answer = this.#ask({ kind: 'ready' });
    return answer?.kind === 'clients' ? answer : undefined;
  }

  /**
   * Tells it that all is served from here: what it had not given up to hear until then, it will do. Throws UserError ERR_PROXY_EXISTS when
   * it had, and goes on itself.
   */
  done(): void {
    const text = this.#say({ kind: 'done' }) ? undefined : this.#readLine();
    this[Symbol.dispose]();
    if (text !== undefined) this.#parse(text);
  }

  [Symbol.dispose](): void {
    if (this.#isOpen) closeSync(this.#fd);
    this.#isOpen = false;
  }

  #ask(question: Question): Answer | undefined {
    if (!this.#say(question)) return undefined;
    const text = this.#readLine();
    if (text === undefined) return undefined;
    const { answer, descriptors } = this.#parse(text);
    const received: number[] = [];
    this.#say({ kind: 'ack' });
    while (received.length < descriptors) {
      const some = this.#receive();
      if (some === undefined || some.length === 0) {
        for (const fd of received) closeSync(fd);
        if (some === undefined) return undefined;
        throw refused(this.pid, 'it has given up waiting');
      }
      received.push(...some);
      this.#say({ kind: 'ack' });
    }
    return mapDescriptors(answer, (index) => received[index]!);
  }

  // Throws when it refuses, which it may do while its last answer has not been read yet.
  #parse(text: string): AnswerLine {
    const line = JSON.parse(text.trimEnd().split('\n').at(-1)!) as AnswerLine;
    if (line.answer.kind === 'refused') throw refused(this.pid, line.answer.message);
    return line;
  }

  #receive(): readonly number[] | undefined {
    try {
      return receiveDescriptors(this.#fd);
    } catch (error) {
      if (error instanceof SystemCallError && error.errno === 'ECONNRESET') return undefined;
      throw this.#silent(error);
    }
  }

  // False when it has ended, or hears no more.
  #say(question: Question): boolean {
    try {
      writeSync(this.#fd, `${JSON.stringify(question)}\n`);
      return true;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'EPIPE') return false;
      throw this.#silent(error);
    }
  }

  #readLine(): string | undefined {
    const chunks: Buffer[] = [];
    for (;;) {
      const chunk = Buffer.alloc(1 << 16);
      const count = this.#read(chunk);
      if (count === 0) return undefined;
      chunks.push(chunk.subarray(0, count));
      // Nothing but a refusal follows a line before it was acknowledged.
      if (chunk[count - 1] === NEWLINE) return Buffer.concat(chunks).toString();
    }
  }

  #read(chunk: Buffer): number {
    try {
      return readSync(this.#fd, chunk);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ECONNRESET') return 0;
      throw this.#silent(error);
    }
  }

  #silent(cause: unknown): unknown {
    return errnoOf(cause) === 'EAGAIN' ? refused(this.pid, 'it does not answer', cause) : cause;
  }
}

const NEWLINE = 10;

function errnoOf(error: unknown): string | undefined {
  return error instanceof SystemCallError ? error.errno : (error as NodeJS.ErrnoException | undefined)?.code;
}

function refused(pid: number, why: string, cause?: unknown): UserError {
  return new UserError({
    code: 'ERR_PROXY_EXISTS',
    message: `the proxy that runs here (process ${pid}) does not hand over: ${why}`,
    hint: 'it goes on as before; stop it first, or run this one for the same node and with the same version',
    cause,
  });
}
