import type { IncomingMessage, RequestListener, Server, ServerResponse } from 'node:http';
import { createServer as createSecureServer } from 'node:https';
import type { Duplex } from 'node:stream';
import fastify from 'fastify';
import { ApiStatusError } from '../../kube/status.ts';
import { ApiMessage } from './api-message.ts';
import { errorReply, type SendOptions, sendReply } from './send-reply.ts';

const { createServer: createPlainServer } = process.getBuiltinModule('node:http');

/** Keys of one listener, in PEM. */
export interface TlsOptions {
  readonly key: string;
  readonly cert: string;
  /** Authorities whose client certificates name their users. */
  readonly ca: string;
}

export interface ServerHooks {
  /** Answers a request whose body has been read. Must not reject. */
  readonly handle: (request: IncomingMessage, response: ServerResponse, body: Buffer) => Promise<void>;
  /** True when the body is not read before `handle`, which reads it as it comes. */
  readonly streams: (request: IncomingMessage) => boolean;
  /** Takes over an upgraded connection. */
  readonly upgrade: (request: IncomingMessage, socket: Duplex, head: Buffer) => void;
}

/** Turns requests into calls of the hooks; servers are made with `secure` or `plain` and share everything else. */
export interface HttpFront {
  readonly secure: (tls: TlsOptions) => Server;
  readonly plain: () => Server;
  readonly close: () => Promise<void>;
}

const BODY_LIMIT = 3 * 1024 * 1024;
const HEADERS_MS = 32_000;
const REQUEST_MS = 60_000;
const KEEP_ALIVE_MS = 180_000;
const NO_BODY = Buffer.alloc(0);
// The short bodies of refusals cannot fail on their way.
const QUIET: SendOptions = { warnings: [], onError: () => {} };

/**
 * The HTTP shell: bodies are read as bytes, whatever their type, and limited in size; routing is the API's own. fastify reads those
 * whose length is not told, and refuses what is too long or malformed. Slow senders are cut off by the timeouts of the server.
 */
export async function createHttpFront(hooks: ServerHooks): Promise<HttpFront> {
  const app = fastify({ logger: false, bodyLimit: BODY_LIMIT, forceCloseConnections: true, frameworkErrors: badUrl });
  app.removeAllContentTypeParsers();
  app.addContentTypeParser('*', { parseAs: 'buffer', bodyLimit: BODY_LIMIT }, (_request, body, done) =>
    done(null, body),
  );
  app.setErrorHandler((error: Error & { readonly code?: string }, _request, reply) => {
    reply.hijack();
    sendReply(reply.raw, errorReply(bodyError(error)), QUIET);
  });
  app.route({
    method: ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'],
    url: '*',
    handler: (request, reply) => {
      reply.hijack();
      const body = Buffer.isBuffer(request.body) ? request.body : NO_BODY;
      void hooks.handle(request.raw, reply.raw, body);
    },
  });
  await app.ready();
  // Most requests say all that is to be known of their body, and there is nothing to do here: they go straight through.
  const listener: RequestListener<typeof ApiMessage> = (request, response) => {
    if (hooks.streams(request)) void hooks.handle(request, response, NO_BODY);
    else if (isBare(request)) {
      request.takeBody(() => {});
      void hooks.handle(request, response, NO_BODY);
    } else if (isPlain(request)) request.takeBody((body) => void hooks.handle(request, response, body));
    else app.routing(request, response);
  };
  const options = { IncomingMessage: ApiMessage };
  return {
    secure: (tls) =>
      prepared(
        createSecureServer({ ...options, ...tls, requestCert: true, rejectUnauthorized: false }, listener),
        hooks,
      ),
    plain: () => prepared(createPlainServer(options, listener), hooks),
    close: () => app.close(),
  };
}

const BARE_METHODS: ReadonlySet<string> = new Set(['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS']);
const BODY_METHODS: ReadonlySet<string> = new Set(['POST', 'PUT', 'PATCH', 'DELETE']);
const MEDIA_TYPE = /^[\w.+-]+\/[\w.+-]+(?:; ?charset=[\w-]+)?$/;

function isBare({ method = '', headers }: IncomingMessage): boolean {
  const hasBody = headers['content-length'] !== undefined || headers['transfer-encoding'] !== undefined;
  return BARE_METHODS.has(method) && !hasBody;
}

// Of a type that is well formed and of a length that is told and allowed.
function isPlain({ method = '', headers }: IncomingMessage): boolean {
  const { 'content-length': length, 'content-type': type, 'transfer-encoding': coding } = headers;
  if (!BODY_METHODS.has(method) || coding !== undefined || !(Number(length) <= BODY_LIMIT)) return false;
  return type === undefined || MEDIA_TYPE.test(type);
}

function prepared(server: Server, { upgrade }: ServerHooks): Server {
  server.headersTimeout = HEADERS_MS;
  server.requestTimeout = REQUEST_MS;
  server.keepAliveTimeout = KEEP_ALIVE_MS;
  server.on('upgrade', upgrade);
  // What is no HTTP, or breaks off: nobody is left to be told more.
  server.on('clientError', (_error, socket) => socket.destroy());
  return server;
}

const badUrl = (_error: unknown, _request: unknown, reply: { readonly raw: ServerResponse; hijack(): void }): void => {
  reply.hijack();
  sendReply(reply.raw, errorReply(new ApiStatusError('BadRequest', 'the request URL is malformed')), QUIET);
};

function bodyError(error: Error & { readonly code?: string }): unknown {
  if (error.code === 'FST_ERR_CTP_BODY_TOO_LARGE') {
    return new ApiStatusError('RequestEntityTooLarge', `Request entity too large: limit is ${BODY_LIMIT}`);
  }
  if (error.code === 'FST_ERR_CTP_INVALID_CONTENT_LENGTH') {
    return new ApiStatusError('BadRequest', 'the body is shorter or longer than its Content-Length');
  }
  if (error.code === 'FST_ERR_CTP_INVALID_MEDIA_TYPE') {
    return new ApiStatusError('UnsupportedMediaType', 'the Content-Type of the body is malformed');
  }
  return error;
}
