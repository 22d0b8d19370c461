import type { DnsMetrics } from '../metrics/dns-metrics.ts';
import { Rcode } from '../wire/rcode.ts';
import { type CompiledBlock, type Dispatcher, metricZone } from './dispatcher.ts';
import type { DnsLog } from './dns-log.ts';
import { acceptPacket, type Client, type DnsRequest, wantsDnssec } from './dns-request.ts';
import { encodeTransfer } from './encode-transfer.ts';
import type { FastPath, ReplySpace } from './fast-path.ts';
import { bareReply, encodeReply, type Reply } from './reply.ts';

/** What a listening address answers with; exchanged as a whole when the Corefile changes. */
export interface QueryConfig {
  readonly dispatcher: Dispatcher;
  /** The precompiled answers of a block whose plugins let them through untouched. */
  readonly fast: { readonly path: FastPath; readonly block: CompiledBlock } | undefined;
}

/** Sends the messages of one reply: one, or several for a zone transfer. */
export type Respond = (message: Uint8Array) => void;

/** Answers packets of one listening address, whatever transport they came by. */
export class QueryServer {
  config: QueryConfig;
  readonly #log: DnsLog;
  readonly #onPanic: () => void;

  constructor(config: QueryConfig, log: DnsLog, onPanic: () => void) {
    this.config = config;
    this.#log = log;
    this.#onPanic = onPanic;
  }

  /** Answers from precompiled bytes: writes the reply to `space` and returns its length, or 0 when it takes `answer`. */
  answerFast(query: Buffer, space: ReplySpace, client: { readonly tcp: boolean; readonly ipv6: boolean }): number {
    const { fast } = this.config;
    if (fast === undefined) return 0;
    const { path, block } = fast;
    const { metrics } = block;
    const startedAt = metrics === undefined ? 0 : metrics.now();
    const responseSize = path.respond(query, space, client.tcp);
    if (responseSize > 0 && metrics !== undefined) {
      const { zone, type, rcode, dnssec } = path.outcome;
      const { tcp, ipv6 } = client;
      const measures = { startedAt, requestSize: query.length, responseSize, dnssec };
      metrics.report({ zone, type, rcode, plugin: 'kubernetes', tcp, ipv6 }, measures);
    }
    return responseSize;
  }

  /** Answers through the plugins. A malformed packet may get no reply at all. */
  answer(packet: Uint8Array, client: Client, respond: Respond): void | Promise<void> {
    const accepted = acceptPacket(packet, client);
    if (accepted.kind === 'ignored') return;
    if (accepted.kind === 'refused') {
      respond(accepted.reply);
      return;
    }
    const { request } = accepted;
    const { dispatcher } = this.config;
    const early = dispatcher.refuse(request);
    const block = early === undefined ? dispatcher.blockOf(request.question.name, request.question.type) : undefined;
    const startedAt = block?.metrics?.now() ?? 0;
    const finish = (reply: Reply): void => {
      const size = this.#send(request, reply, respond);
      if (block?.metrics !== undefined) report(block, block.metrics, { request, reply, startedAt, size });
    };
    try {
      const reply = early ?? block?.handler(request) ?? bareReply('', Rcode.REFUSED);
      if (!(reply instanceof Promise)) return finish(reply);
      return reply.then(finish).catch((error: unknown) => finish(this.#recover(error)));
    } catch (error) {
      finish(this.#recover(error));
    }
  }

  // A plugin that throws must not take the server along: SERVFAIL, counted and logged with its stack.
  #recover(error: unknown): Reply {
    this.#onPanic();
    this.#log('error', `Recovered from panic in server: ${error instanceof Error ? error.stack : String(error)}`);
    return bareReply('', Rcode.SERVFAIL);
  }

  #send(request: DnsRequest, reply: Reply, respond: Respond): number {
    if (reply.transfer !== undefined) {
      let size = 0;
      for (const message of encodeTransfer(request, reply)) {
        size += message.length;
        respond(message);
      }
      return size;
    }
    const message = encodeReply(request, reply);
    respond(message);
    return message.length;
  }
}

function report(
  block: CompiledBlock,
  metrics: DnsMetrics,
  done: { request: DnsRequest; reply: Reply; startedAt: number; size: number },
): void {
  const { request, reply, startedAt, size } = done;
  const labels = {
    zone: metricZone(block, request.question.name),
    type: request.question.type,
    rcode: reply.rcode,
    plugin: reply.written ? reply.plugin : '',
    tcp: request.client.transport === 'tcp',
    ipv6: request.client.address.includes(':'),
  };
  const dnssec = wantsDnssec(request);
  metrics.report(labels, { startedAt, requestSize: request.bytes.length, responseSize: size, dnssec });
}
