import { UserError } from '../../errors/towtank-error.ts';
import type { Directive } from '../corefile/parse-corefile.ts';
import { readArguments, readOptions } from '../corefile/read-options.ts';
import type { DnsRequest } from '../server/dns-request.ts';
import type { Reply } from '../server/reply.ts';
import { encodeMessage, Flag } from '../wire/message.ts';
import { isSubdomain, joinName } from '../wire/name.ts';
import { RecordClass, RecordType } from '../wire/record-type.ts';
import { once } from './once.ts';
import type { Handler, Plugin, PluginEnvironment } from './plugin.ts';

const RETRY = 1000;
const GIVE_UP = 30_000;
const WATCH = 2000;
const MAX_SEEN = 2;

/** loop: asks itself for a random name; when that query comes back from upstream more than twice, the server ends. */
export function loopPlugin(directives: readonly Directive[], environment: PluginEnvironment): readonly Plugin[] {
  const directive = once(directives);
  readArguments(directive, 0, 0);
  readOptions(directive, {});
  return [new LoopPlugin(environment)];
}

class LoopPlugin implements Plugin {
  readonly name = 'loop';
  readonly #environment: PluginEnvironment;
  readonly #zone: string;
  readonly #question: string;
  readonly #closing = new AbortController();
  #timer: Disposable | undefined;
  #seen = 0;
  #off = false;

  constructor(environment: PluginEnvironment) {
    this.#environment = environment;
    this.#zone = environment.zones[0] ?? '.';
    const label = (): string => String(Math.floor(environment.random() * Number.MAX_SAFE_INTEGER));
    this.#question = joinName(`${label()}.${label()}`, this.#zone);
  }

  readonly leavesAlone = (): boolean => true;

  readonly handle = (request: DnsRequest, next: Handler): Reply | Promise<Reply> => {
    const { name, type } = request.question;
    if (type !== RecordType.HINFO || this.#off || !isSubdomain(this.#zone, name)) return next(request);
    if (name.toLowerCase() === this.#question) this.#seen++;
    if (this.#seen > MAX_SEEN) this.#environment.fail(this.#loopFound(request));
    return next(request);
  };

  readonly onListening = (port: number): void => {
    const { clock } = this.#environment;
    const deadline = clock.now() + GIVE_UP;
    const attempt = async (): Promise<void> => {
      const answered = await this.#askSelf(port);
      if (this.#closing.signal.aborted) return;
      if (answered || clock.now() + RETRY >= deadline) this.#timer = clock.schedule(WATCH, () => this.#switchOff());
      else {
        this.#seen = 0;
        this.#timer = clock.schedule(RETRY, () => void attempt());
      }
    };
    void attempt();
  };

  readonly stop = async (): Promise<void> => {
    this.#closing.abort();
    this.#timer?.[Symbol.dispose]();
  };

  #switchOff(): void {
    this.#off = true;
  }

  async #askSelf(port: number): Promise<boolean> {
    const { clock, network, listenHosts, random } = this.#environment;
    const host = listenHosts[0] || '127.0.0.1';
    const socket = await network.openUdp(host.includes(':') ? 6 : 4);
    const { promise, resolve } = Promise.withResolvers<boolean>();
    using _timer = clock.schedule(WATCH, () => resolve(false));
    this.#closing.signal.addEventListener('abort', () => resolve(false), { once: true });
    socket.on('message', () => resolve(true));
    socket.on('error', () => resolve(false));
    socket.send(this.#query(Math.floor(random() * 0x10000)), port, host);
    const answered = await promise;
    socket.close();
    return answered;
  }

  #query(id: number): Uint8Array {
    const questions = [{ name: this.#question, type: RecordType.HINFO, class: RecordClass.IN }];
    return encodeMessage({ id, flags: Flag.RD, questions, answer: [], authority: [], additional: [] });
  }

  #loopFound({ client }: DnsRequest): Error {
    const where = `${client.address}:${client.port}`;
    return new UserError({
      code: 'ERR_DNS_CONFIG',
      message: `Loop (${where} -> ${this.#environment.listenHosts[0] ?? ''}) detected for zone "${this.#zone}"`,
      hint: 'The upstream of forward leads back to this server: name another one, or remove forward.',
    });
  }
}
