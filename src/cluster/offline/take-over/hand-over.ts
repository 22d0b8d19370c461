import { createServer, type Socket } from 'node:net';
import { descriptorOf, peerOf } from '../../../kernel/named-sockets.ts';
import type { Proxy as NodeProxy } from '../../../proxy/proxy-server.ts';
import type { MovableTransport } from '../../../proxy/userspace/movable-transport.ts';
import { Conversation, expectKind } from './conversation.ts';
import { type Question, VERSION } from './messages.ts';
import type { ServerSockets } from './server-sockets.ts';
import { within } from './within.ts';

export interface HandOverOptions {
  /** Descriptor of the socket at which new proxies ask; closed in the end. */
  readonly control: number;
  readonly nodeName: string;
  readonly transport: Pick<MovableTransport, 'share' | 'pause' | 'resume'>;
  readonly proxy: Pick<NodeProxy, 'pause' | 'resume'>;
  readonly servers: ServerSockets;
  /** How long a new proxy may take for each of its steps; writing its rules is the longest. */
  readonly patienceMs: number;
  readonly onError: (error: unknown) => void;
}

/** Waits for a new proxy of the same node and hands everything over to it. When that fails this one goes on as before. */
export class HandOver implements AsyncDisposable {
  readonly #options: HandOverOptions;
  readonly #server = createServer(
    { allowHalfOpen: true },
    (socket) => void this.#talk(socket).catch(this.#options.onError),
  );
  readonly #replaced = Promise.withResolvers<number>();
  #busy = false;

  constructor(options: HandOverOptions) {
    this.#options = options;
    this.#server.on('error', options.onError);
    this.#server.listen({ fd: options.control });
  }

  /** Resolves with the process id of the proxy that took over. */
  get replaced(): Promise<number> {
    return this.#replaced.promise;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.close();
  }

  async #talk(socket: Socket): Promise<void> {
    socket.on('error', () => socket.destroy());
    const { pid, uid } = peerOf(descriptorOf(socket));
    // The name is everybody's to connect to; the sockets are not.
    if (uid !== process.geteuid?.() && uid !== 0) {
      socket.destroy();
      return;
    }
    const conversation = new Conversation(socket);
    const refusal = this.#refusal(await conversation.next());
    if (refusal !== undefined) {
      conversation.refuse(refusal);
      return;
    }
    this.#busy = true;
    const failure = await this.#handOver(conversation);
    if (failure === undefined) {
      socket.destroy();
      this.#replaced.resolve(pid);
      return;
    }
    this.#busy = false;
    // Silence would mean that this process is dead, and its sockets free to be served.
    conversation.refuse(failure);
    this.#options.onError(new Error(`process ${pid} did not take over: ${failure}`));
  }

  #refusal(question: Question | undefined): string | undefined {
    const { nodeName } = this.#options;
    if (question?.kind !== 'take' || question.version !== VERSION) return 'it is another version of towtank';
    if (question.node !== nodeName) return `it is the proxy of node ${nodeName}`;
    return this.#busy ? 'another proxy is taking over from it' : undefined;
  }

  // Undefined once the other one serves, otherwise why it does not.
  async #handOver(conversation: Conversation): Promise<string | undefined> {
    const { transport, proxy } = this.#options;
    await proxy.pause();
    let isPaused = false;
    try {
      await this.#inTime(this.#giveSockets(conversation), 'take the sockets');
      expectKind(await this.#inTime(conversation.next(), 'write its rules'), 'ready');
      isPaused = true;
      await this.#inTime(this.#giveClients(conversation), 'take the clients');
      expectKind(await this.#inTime(conversation.next(), 'serve'), 'done');
      return undefined;
    } catch (error) {
      // This process may have been stopped for longer than it wants to wait: what the other one did meanwhile holds.
      if (isPaused && (await conversation.hearOut())?.kind === 'done') return undefined;
      if (isPaused) transport.resume();
      proxy.resume();
      return (error as Error).message;
    }
  }

  async #giveSockets(conversation: Conversation): Promise<void> {
    const { transport, control, servers } = this.#options;
    await conversation.answer({
      kind: 'sockets',
      control,
      servers: servers.current(),
      listeners: transport.share(),
    });
  }

  async #giveClients(conversation: Conversation): Promise<void> {
    await conversation.answer({ kind: 'clients', clients: await this.#options.transport.pause() });
  }

  // One that was stopped must not keep this one from writing rules, or even from serving.
  #inTime<T>(step: Promise<T>, what: string): Promise<T> {
    return within(step, this.#options.patienceMs, () => new Error(`it took too long to ${what}`));
  }
}
