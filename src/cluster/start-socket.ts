import { createServer, type Server, type Socket } from 'node:net';
import { createInterface } from 'node:readline';
import type { StartMessage } from './control/protocol.ts';

/** The launcher's end of the start conversation. */
export class StartSocket {
  readonly path: string;
  readonly #server: Server;
  #socket: Socket | undefined;
  #listener: ((message: StartMessage) => void) | undefined;
  readonly #early: StartMessage[] = [];
  readonly #closed = Promise.withResolvers<void>();

  private constructor(path: string, server: Server) {
    this.path = path;
    this.#server = server;
    server.on('connection', (socket) => {
      this.#socket = socket;
      // A supervisor that dies resets the connection; its exit is what counts.
      socket.on('error', () => socket.destroy());
      socket.on('close', () => this.#closed.resolve());
      createInterface({ input: socket }).on('line', (line) => {
        const message = JSON.parse(line) as StartMessage;
        if (this.#listener) this.#listener(message);
        else this.#early.push(message);
      });
    });
  }

  /** Resolves when the supervisor's end was closed. */
  get closed(): Promise<void> {
    return this.#closed.promise;
  }

  /** Resolves when all is told that a supervisor which has ended by now had said. */
  async drained(): Promise<void> {
    // A connection that it made waits in the kernel until the event loop has looked there.
    for (let turn = 0; turn < 2 && this.#socket === undefined; turn++) await new Promise(setImmediate);
    if (this.#socket !== undefined) await this.closed;
  }

  /** Listens at a path of the file system; that alone keeps no process alive. */
  static async listen(path: string): Promise<StartSocket> {
    const server = createServer();
    const start = new StartSocket(path, server);
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    server.once('error', reject);
    server.listen(path, resolve);
    await promise;
    server.unref();
    return start;
  }

  /** Tells of what the supervisor says, and of what it has said already. */
  onMessage(listener: (message: StartMessage) => void): void {
    this.#listener = listener;
    for (const message of this.#early.splice(0)) listener(message);
  }

  close(): void {
    this.#server.close();
    this.#socket?.destroy();
  }
}
