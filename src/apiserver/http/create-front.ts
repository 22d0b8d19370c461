import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { attributesOf, forbiddenTo } from '../access/attributes.ts';
import { type AuditedRequest, auditEvent } from '../access/audit.ts';
import { authenticate } from '../access/authenticate.ts';
import { actingCaller } from '../access/impersonate.ts';
import { badRequest, printGroupResource } from '../machinery/errors.ts';
import type { Caller } from '../machinery/strategy.ts';
import { isProxied } from '../proxying/proxy-path.ts';
import type { ServerParts } from '../server-parts.ts';
import type { ApiReply, ApiRequest } from './api-request.ts';
import { createHttpFront, type HttpFront } from './http-server.ts';
import { InFlight } from './in-flight.ts';
import { parseRequestInfo, type RequestInfo } from './request-info.ts';
import { RequestMetrics } from './request-metrics.ts';
import { createRoutes, type Routes } from './routes.ts';
import { errorReply, sendReply } from './send-reply.ts';

const http = process.getBuiltinModule('node:http');

const NO_BODY = Buffer.alloc(0);

/** The API over HTTP: who asks, whether they may, and the answer. */
export function createFront(parts: ServerParts): Promise<HttpFront> {
  const front = new ApiFront(parts);
  return createHttpFront({
    handle: (raw, response, body) => front.handle(raw, response, body),
    streams: ({ url = '' }) => isProxied(url),
    upgrade: (raw, socket, head) => void front.upgrade(raw, socket, head),
  });
}

interface Answered {
  readonly reply: ApiReply;
  readonly warnings: readonly string[];
}

type Audited = { -readonly [Key in keyof AuditedRequest]: AuditedRequest[Key] };

class ApiFront {
  readonly #parts: ServerParts;
  readonly #routes: Routes;
  readonly #inFlight = new InFlight();
  readonly #metrics = new RequestMetrics();

  constructor(parts: ServerParts) {
    this.#parts = parts;
    this.#routes = createRoutes(parts, () => this.#printMetrics());
  }

  async handle(raw: IncomingMessage, response: ServerResponse, body: Buffer): Promise<void> {
    const audited = this.#receive();
    const { reply, warnings } = await this.#answer(raw, body, audited);
    this.#send(raw, response, { reply, warnings }, audited);
  }

  /** Upgrades the connection, or answers it like any other request and closes it. */
  async upgrade(raw: IncomingMessage, socket: Duplex, head: Buffer): Promise<void> {
    const audited = this.#receive();
    socket.on('error', () => socket.destroy());
    const { reply, warnings } = await this.#answer(raw, NO_BODY, audited);
    if (reply.type === 'upgrade') {
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
    return this.#metrics.print({ inFlight: this.#inFlight.count, objects: new Map(counts) });
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
    return { id: crypto.randomUUID(), receivedAt, info: undefined, caller: undefined, impersonated: undefined };
  }

  #send(raw: IncomingMessage, response: ServerResponse, { reply, warnings }: Answered, audited: AuditedRequest): void {
    const { audit, machinery } = this.#parts;
    // Of a stream the status is known when it is over.
    if (reply.type === 'stream') response.once('close', () => this.#count(audited, response.statusCode));
    else this.#count(audited, reply.type === 'body' ? reply.status : 200);
    if (audit) response.once('close', () => audit(auditEvent(audited, raw, response, machinery.clock)));
    if (!response.headersSent) response.setHeader('audit-id', audited.id);
    sendReply(response, reply, { warnings, onError: this.#parts.onError });
  }

  async #answer(raw: IncomingMessage, body: Buffer, audited: Audited): Promise<Answered> {
    const warnings: string[] = [];
    try {
      const request = this.#admit(raw, body, warnings, audited);
      const info = audited.info!;
      const longRunning = info.verb === 'watch' || raw.headers.upgrade !== undefined || isProxied(request.path);
      const run = (): Promise<ApiReply> => this.#routes(info, request);
      return { reply: await (longRunning ? run() : this.#inFlight.run(run)), warnings };
    } catch (error) {
      const reply = errorReply(error);
      if (reply.status === 500) this.#parts.onError(error);
      return { reply, warnings };
    }
  }

  #admit(raw: IncomingMessage, body: Buffer, warnings: string[], audited: Audited): ApiRequest {
    const { authorizer, tokens, staticTokens } = this.#parts;
    const { path, query } = splitUrl(raw.url ?? '/');
    const method = raw.method ?? 'GET';
    const info = parseInfo(method, path, query);
    audited.info = info;
    const sender = authenticate(raw, tokens, staticTokens);
    audited.caller = sender;
    const caller = actingCaller(authorizer, sender, raw);
    if (caller !== sender) audited.impersonated = caller;
    const authorize = (given: RequestInfo): void => {
      const attributes = attributesOf(given);
      if (!authorizer.allows(caller, attributes)) throw forbiddenTo(caller, attributes);
    };
    authorize(info);
    const authorizeCreate = (): void => authorize({ ...info, verb: 'create' });
    return {
      method,
      path,
      query,
      headers: raw.headers,
      body,
      caller: caller as Caller,
      raw,
      warnings,
      authorizeCreate,
    };
  }
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
