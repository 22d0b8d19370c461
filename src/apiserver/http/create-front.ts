import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { attributesOf, forbiddenTo } from '../access/attributes.ts';
import { type AuditedRequest, auditEvent } from '../access/audit.ts';
import { authenticate } from '../access/authenticate.ts';
import { actingCaller } from '../access/impersonate.ts';
import type { Flow } from '../flowcontrol/classifier.ts';
import { FlowControl } from '../flowcontrol/flow-control.ts';
import type { LevelRequest } from '../flowcontrol/level-request.ts';
import { badRequest, printGroupResource } from '../machinery/errors.ts';
import type { Caller } from '../machinery/strategy.ts';
import { isProxied } from '../proxying/proxy-path.ts';
import type { ServerParts } from '../server-parts.ts';
import { type ApiReply, type ApiRequest, textReply } from './api-request.ts';
import { createHttpFront, type HttpFront } from './http-server.ts';
import { parseRequestInfo, type RequestInfo } from './request-info.ts';
import { RequestMetrics } from './request-metrics.ts';
import { createRoutes, type Routes } from './routes.ts';
import { errorReply, sendReply } from './send-reply.ts';
import { TurnEnd } from './turn-end.ts';

const http = process.getBuiltinModule('node:http');

const NO_BODY = Buffer.alloc(0);

/** The API over HTTP: who asks, whether they may, and the answer. */
export async function createFront(parts: ServerParts): Promise<HttpFront> {
  const front = new ApiFront(parts);
  const http = await createHttpFront({
    handle: (raw, response, body) => front.handle(raw, response, body),
    streams: ({ url = '' }) => isProxied(url),
    upgrade: (raw, socket, head) => void front.upgrade(raw, socket, head),
  });
  const close = async (): Promise<void> => {
    await http.close();
    front[Symbol.dispose]();
  };
  return { ...http, close };
}

interface Answered {
  readonly reply: ApiReply;
  readonly warnings: readonly string[];
}

type Audited = { -readonly [Key in keyof AuditedRequest]: AuditedRequest[Key] } & {
  flow: Flow | undefined;
  /** The seats that it works on. */
  seats: LevelRequest | undefined;
};

class ApiFront {
  readonly #parts: ServerParts;
  readonly #routes: Routes;
  readonly #flowControl: FlowControl;
  readonly #metrics = new RequestMetrics();
  readonly #turn = new TurnEnd();

  constructor(parts: ServerParts) {
    this.#parts = parts;
    this.#flowControl = new FlowControl(parts.machinery);
    this.#routes = createRoutes(parts, {
      printMetrics: () => this.#printMetrics(),
      flowControl: this.#flowControl,
    });
  }

  [Symbol.dispose](): void {
    this.#flowControl[Symbol.dispose]();
  }

  async handle(raw: IncomingMessage, response: ServerResponse, body: Buffer): Promise<void> {
    const audited = this.#receive();
    const { reply, warnings } = await this.#answer(raw, body, audited);
    this.#turn.add(() => this.#send(raw, response, { reply, warnings }, audited));
  }

  /** Upgrades the connection, or answers it like any other request and closes it. */
  async upgrade(raw: IncomingMessage, socket: Duplex, head: Buffer): Promise<void> {
    const audited = this.#receive();
    socket.on('error', () => socket.destroy());
    const { reply, warnings } = await this.#answer(raw, NO_BODY, audited);
    if (reply.type === 'upgrade') {
      this.#leave(audited);
      this.#count(audited, 101);
      const { audit, machinery } = this.#parts;
      audit?.(auditEvent(audited, raw, { statusCode: 101 }, machinery.clock));
      reply.take(socket, head);
      return;
    }
    const response = new http.ServerResponse(raw);
    response.shouldKeepAlive = false;
    response.assignSocket(socket as Socket);
    response.on('finish', () => socket.end());
    this.#send(raw, response, { reply, warnings }, audited);
  }

  #printMetrics(): string {
    const { store, registry } = this.#parts.machinery;
    const counts = registry
      .all()
      .map(({ type, stored }) => [printGroupResource(type), store.count(stored.prefix)] as const);
    return this.#metrics.print({ objects: new Map(counts), flowControl: this.#flowControl });
  }

  // Only what is served has labels of its own.
  #count(audited: AuditedRequest, code: number): void {
    const { clock, registry } = this.#parts.machinery;
    const { info, receivedAt } = audited;
    const isKnown = info?.type !== 'resource' || registry.find(info.group, info.version, info.resource) !== undefined;
    this.#metrics.record(isKnown ? info : undefined, code, clock.now() - receivedAt);
  }

  #receive(): Audited {
    const receivedAt = this.#parts.machinery.clock.now();
    const nobody = { info: undefined, caller: undefined, impersonated: undefined };
    return { id: crypto.randomUUID(), receivedAt, ...nobody, flow: undefined, seats: undefined };
  }

  #send(raw: IncomingMessage, response: ServerResponse, { reply, warnings }: Answered, audited: Audited): void {
    const { audit, machinery } = this.#parts;
    // Of a stream the status is known when it is over.
    if (reply.type === 'stream') response.once('close', () => this.#count(audited, response.statusCode));
    else this.#count(audited, reply.type === 'body' ? reply.status : 200);
    if (audit) response.once('close', () => audit(auditEvent(audited, raw, response, machinery.clock)));
    const { id, flow } = audited;
    const headers = flow ? ['audit-id', id, ...flow.headers] : ['audit-id', id];
    // A long list is worked on until its last piece is sent.
    const isSending = reply.type === 'chunks' && audited.seats && !response.closed;
    if (isSending) response.once('close', () => this.#leave(audited));
    sendReply(response, reply, { headers, warnings, onError: this.#parts.onError });
    if (!isSending) this.#leave(audited);
  }

  #leave({ flow, seats }: Audited): void {
    if (flow && seats) this.#flowControl.leave(flow, seats);
  }

  async #answer(raw: IncomingMessage, body: Buffer, audited: Audited): Promise<Answered> {
    const warnings: string[] = [];
    try {
      const request = this.#identify(raw, body, warnings, audited);
      const info = audited.info!;
      const { flow } = audited;
      if (flow) {
        const entered = this.#flowControl.enter(flow, info, request);
        audited.seats = entered instanceof Promise ? await entered : entered;
        if (!audited.seats) return { reply: tooManyRequests(flow.level.dropped.retryAfter), warnings };
      }
      this.#authorize(request.caller, info);
      return { reply: await this.#routes(info, request), warnings };
    } catch (error) {
      const reply = errorReply(error);
      if (reply.status === 500) this.#parts.onError(error);
      return { reply, warnings };
    }
  }

  #identify(raw: IncomingMessage, body: Buffer, warnings: string[], audited: Audited): ApiRequest {
    const { authorizer, tokens, staticTokens } = this.#parts;
    const { path, query } = splitUrl(raw.url ?? '/');
    const method = raw.method ?? 'GET';
    const info = parseInfo(method, path, query);
    audited.info = info;
    const sender = authenticate(raw, tokens, staticTokens);
    audited.caller = sender;
    const caller = actingCaller(authorizer, sender, raw);
    if (caller !== sender) audited.impersonated = caller;
    audited.flow = this.#flowControl.classify(caller, info);
    const authorizeCreate = (): void => this.#authorize(caller, { ...info, verb: 'create' });
    return { method, path, query, headers: raw.headers, body, caller, raw, warnings, authorizeCreate };
  }

  #authorize(caller: Caller, info: RequestInfo): void {
    const attributes = attributesOf(info);
    if (!this.#parts.authorizer.allows(caller, attributes)) throw forbiddenTo(caller, attributes);
  }
}

function tooManyRequests(retryAfter: number): ApiReply {
  const reply = textReply(429, 'Too many requests, please try again later.\n');
  return { ...reply, headers: { ...reply.headers, 'retry-after': String(retryAfter) } };
}

function splitUrl(url: string): { readonly path: string; readonly query: URLSearchParams } {
  const mark = url.indexOf('?');
  if (mark === -1) return { path: url, query: new URLSearchParams() };
  return { path: url.slice(0, mark), query: new URLSearchParams(url.slice(mark + 1)) };
}

function parseInfo(method: string, path: string, query: URLSearchParams): RequestInfo {
  try {
    return parseRequestInfo(method, path, query);
  } catch (error) {
    if (error instanceof URIError) throw badRequest('the request path is not valid percent-encoding');
    throw error;
  }
}
