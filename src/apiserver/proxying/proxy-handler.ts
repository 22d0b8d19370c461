import type { ClientRequest, IncomingMessage, ServerResponse } from 'node:http';
import { type Duplex, pipeline, type Readable } from 'node:stream';
import { connect as connectTls } from 'node:tls';
import { createDeflate, createGunzip, createGzip, createInflate } from 'node:zlib';
import type { KubeletConnection } from '../../kube/kubelet-connection.ts';
import type { NodeProxy } from '../../kube/node-proxy.ts';
import { ApiStatusError } from '../../kube/status.ts';
import type { ApiReply, ApiRequest } from '../http/api-request.ts';
import type { SubresourceHandler, SubresourceRequest } from '../subresources/subresource-hooks.ts';
import { requestHeaders, responseHeaders } from './forwarded-headers.ts';
import { splitProxyPath } from './proxy-path.ts';
import { findProxyTarget, type ProxyTarget } from './proxy-target.ts';
import { rewriteHtml } from './rewrite-html.ts';
import { type RewriteFacts, rewriteUrl } from './rewrite-url.ts';

const { request: httpRequest } = process.getBuiltinModule('node:http');

export interface ProxyParts {
  readonly proxy: NodeProxy | undefined;
  /** Addresses of 127.0.0.0/8 that are the cluster's all the same. */
  readonly admitsLoopback?: ((address: string) => boolean) | undefined;
  readonly kubelet: KubeletConnection | undefined;
}

interface Forwarding {
  readonly parts: ProxyParts;
  readonly target: ProxyTarget;
  readonly request: ApiRequest;
  readonly prefix: string;
  /** Path and query for the target. */
  readonly path: string;
}

/** Answers pods/proxy, services/proxy and nodes/proxy: with whatever the target answers. */
export function proxyHandler(parts: ProxyParts): SubresourceHandler {
  return async ({ machinery, info, request }: SubresourceRequest): Promise<ApiReply> => {
    const { prefix, rest } = splitProxyPath(request.path)!;
    const query = request.raw.url!.slice(request.path.length);
    const isUpgrade = request.raw.headers.upgrade !== undefined;
    // Without a slash the links of the answer would lead beside it.
    if (rest === '' && !isUpgrade && (request.method === 'GET' || request.method === 'HEAD'))
      return redirect(`${prefix}/${query}`);
    const target = findProxyTarget(machinery.reader, machinery.random, {
      resource: info.resource,
      namespace: info.namespace,
      id: info.name ?? '',
      admitsLoopback: parts.admitsLoopback,
    });
    const forwarding = { parts, target, request, prefix, path: `${rest === '' ? '/' : rest}${query}` };
    if (target.type === 'kubelet') return askKubelet(forwarding, target.node);
    return isUpgrade ? upgrade(forwarding) : forward(forwarding);
  };
}

function redirect(location: string): ApiReply {
  return { type: 'body', status: 301, headers: { location }, parts: [] };
}

async function askKubelet({ parts: { kubelet }, request, prefix, path }: Forwarding, node: string): Promise<ApiReply> {
  if (!kubelet?.request) throw unreachable(`no kubelet answers for node ${node}`);
  const { status, headers, body } = await kubelet.request(node, {
    method: request.method,
    path,
    headers: requestHeaders(request.raw, `${prefix}${path}`) as Readonly<Record<string, string>>,
    body: request.raw,
  });
  return streamReply(status, headers as Readonly<Record<string, string>>, body);
}

async function forward(forwarding: Forwarding): Promise<ApiReply> {
  const { request } = forwarding;
  const sent = await send(forwarding, {});
  const answer = Promise.withResolvers<IncomingMessage>();
  sent.on('response', answer.resolve);
  sent.on('error', (error) => answer.reject(unreachable(error.message)));
  // A client that goes away takes its request with it.
  request.raw.on('close', () => {
    if (!request.raw.complete) sent.destroy();
  });
  // A target may have something to say before the body is there.
  sent.flushHeaders();
  request.raw.pipe(sent);
  const response = await answer.promise;
  const facts = factsOf(forwarding);
  const headers = responseHeaders(response.headers);
  if (response.headers.location !== undefined) {
    headers['location'] = rewriteUrl(response.headers.location, facts);
    return streamReply(response.statusCode!, headers, response);
  }
  if (!isHtml(response)) return streamReply(response.statusCode!, headers, response);
  delete headers['content-length'];
  return streamReply(
    response.statusCode!,
    headers,
    rewritten(response, (url) => rewriteUrl(url, facts)),
  );
}

async function upgrade(forwarding: Forwarding): Promise<ApiReply> {
  const { headers } = forwarding.request.raw;
  const sent = await send(forwarding, { connection: 'Upgrade', upgrade: headers.upgrade! });
  const reply = Promise.withResolvers<ApiReply>();
  sent.on('error', (error) => reply.reject(unreachable(error.message)));
  sent.on('response', (response) => {
    const status = response.statusCode!;
    if (status >= 400) reply.resolve(streamReply(status, responseHeaders(response.headers), response));
    else reply.reject(unreachable(`invalid upgrade response: status code ${status}`));
  });
  sent.on('upgrade', (response, target, early) => {
    reply.resolve({ type: 'upgrade', take: (socket, head) => join(socket, target, { response, early, head }) });
  });
  sent.end();
  return reply.promise;
}

async function send(forwarding: Forwarding, more: Readonly<Record<string, string>>): Promise<ClientRequest> {
  const { request, prefix, path } = forwarding;
  const socket = await connectTo(forwarding);
  const headers = { ...requestHeaders(request.raw, `${prefix}${path.split('?', 1)[0]}`), ...more };
  return httpRequest({ method: request.method, path, headers, setHost: false, createConnection: () => socket });
}

async function connectTo({ parts: { proxy }, target }: Forwarding): Promise<Duplex> {
  if (target.type !== 'address' || !proxy) throw unreachable('this server has no way into the network of the cluster');
  const { address, port, scheme } = target;
  try {
    const socket = await proxy.connect(address, port);
    // The certificates of pods are signed by nobody in particular.
    return scheme === 'https' ? connectTls({ socket, rejectUnauthorized: false }) : socket;
  } catch (error) {
    throw unreachable(`dial tcp ${hostOf(address, port)}: ${causeOf(error)}`);
  }
}

const causes: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'connect: connection refused',
  EHOSTUNREACH: 'connect: no route to host',
  ENETUNREACH: 'connect: network is unreachable',
  ETIMEDOUT: 'connect: connection timed out',
};

function causeOf(error: unknown): string {
  const { code = '', message } = error as NodeJS.ErrnoException;
  return causes[code] ?? message;
}

function unreachable(problem: string): ApiStatusError {
  return new ApiStatusError('ServiceUnavailable', `error trying to reach service: ${problem}`);
}

const hostOf = (address: string, port: number): string =>
  address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`;

function factsOf({ target, prefix, request }: Forwarding): RewriteFacts {
  const targetHost = target.type === 'address' ? hostOf(target.address, target.port) : '';
  return { prefix, targetHost, clientHost: request.raw.headers.host ?? '' };
}

const isHtml = ({ headers }: IncomingMessage): boolean =>
  (headers['content-type'] ?? '').split(';', 1)[0]!.trim().toLowerCase() === 'text/html';

function rewritten(response: IncomingMessage, rewrite: (url: string) => string): Readable {
  const steps = { gzip: [createGunzip, createGzip], deflate: [createInflate, createDeflate] } as const;
  const encoding = (response.headers['content-encoding'] ?? '').toLowerCase();
  const html = rewriteHtml(rewrite);
  const [decode, encode] = steps[encoding as keyof typeof steps] ?? [];
  // What is packed otherwise cannot be looked into.
  if (!decode || !encode) return encoding === '' || encoding === 'identity' ? joined(response, html) : response;
  return joined(response, decode(), html, encode());
}

function joined(source: Readable, ...steps: readonly Duplex[]): Readable {
  const last = steps.at(-1)!;
  pipeline([source, ...steps], (error) => {
    if (error) last.destroy(error);
  });
  return last;
}

function streamReply(status: number, headers: Readonly<Record<string, unknown>>, body: Readable): ApiReply {
  return {
    type: 'stream',
    write: (response: ServerResponse) => {
      response.removeHeader('cache-control');
      for (const [name, value] of Object.entries(headers))
        if (value !== undefined) response.setHeader(name, value as string | string[]);
      response.writeHead(status);
      response.flushHeaders();
      body.on('error', () => response.destroy());
      response.on('close', () => body.destroy());
      body.pipe(response);
    },
  };
}

interface Handshake {
  readonly response: IncomingMessage;
  /** What the target sent after its headers. */
  readonly early: Buffer;
  /** What the client sent after its own. */
  readonly head: Buffer;
}

function join(client: Duplex, target: Duplex, { response, early, head }: Handshake): void {
  const lines = [`HTTP/1.1 101 ${response.statusMessage ?? 'Switching Protocols'}`];
  for (let i = 0; i < response.rawHeaders.length; i += 2)
    lines.push(`${response.rawHeaders[i]}: ${response.rawHeaders[i + 1]}`);
  client.write(`${lines.join('\r\n')}\r\n\r\n`);
  if (early.length > 0) client.write(early);
  if (head.length > 0) target.write(head);
  const end = (): void => {
    client.destroy();
    target.destroy();
  };
  for (const stream of [client, target]) stream.on('error', end).on('close', end);
  client.pipe(target);
  target.pipe(client);
}
