import type { IncomingMessage, ServerResponse } from 'node:http';
import { certificateCaller } from '../access/client-certificate.ts';
import type { ApiServerOptions } from '../api-server.ts';
import { Discovery } from '../discovery/discovery.ts';
import { badRequest } from '../machinery/errors.ts';
import type { Machinery } from '../machinery/machinery.ts';
import type { Caller } from '../machinery/strategy.ts';
import {
  bindingHandler,
  evictionHandler,
  methodNotAllowed,
  scaleHandler,
} from '../subresources/object-subresources.ts';
import { type ApiReply, type ApiRequest, valueReply } from './api-request.ts';
import { type DispatchOptions, dispatchResource, pageNotFound } from './dispatch.ts';
import { type HealthCheck, healthReply } from './health.ts';
import { createHttpFront, type HttpFront } from './http-server.ts';
import { parseRequestInfo } from './request-info.ts';
import { errorReply, sendReply } from './send-reply.ts';
import { versionInfo } from './version-info.ts';

const ANONYMOUS: Caller = { name: 'system:anonymous', groups: ['system:unauthenticated'] };

/** The API over HTTP: who asks, what for, and the answer. */
export function createFront(machinery: Machinery, options: ApiServerOptions): Promise<HttpFront> {
  const discovery = new Discovery(machinery, () => '127.0.0.1:6443');
  const dispatch: DispatchOptions = {
    machinery,
    subresources: {
      '/pods/eviction': evictionHandler,
      '/pods/binding': bindingHandler,
      '*/scale': scaleHandler(),
    },
    virtual: {},
  };
  const checks: readonly HealthCheck[] = [{ name: 'ping', check: () => undefined }];
  const answer = async (request: ApiRequest): Promise<ApiReply> => {
    const info = parseInfo(request);
    if (info.type === 'resource') return dispatchResource(dispatch, info, request);
    if (info.verb !== 'get' && info.verb !== 'head') throw methodNotAllowed();
    const { path, query } = request;
    if (path === '/version' || path === '/version/') return valueReply(200, versionInfo(options.gitVersion));
    return healthReply(path, query, checks) ?? discovery.reply(request) ?? pageNotFound();
  };
  const handle = async (raw: IncomingMessage, response: ServerResponse, body: Buffer): Promise<void> => {
    const warnings: string[] = [];
    try {
      sendReply(response, await answer(readRequest(raw, body, warnings)), warnings);
    } catch (error) {
      sendReply(response, errorReply(error), warnings);
    }
  };
  return createHttpFront({ handle, upgrade: (_request, socket) => socket.destroy() });
}

function readRequest(raw: IncomingMessage, body: Buffer, warnings: string[]): ApiRequest {
  const url = raw.url ?? '/';
  const mark = url.indexOf('?');
  const path = mark === -1 ? url : url.slice(0, mark);
  const query = new URLSearchParams(mark === -1 ? '' : url.slice(mark + 1));
  const caller = certificateCaller(raw.socket) ?? ANONYMOUS;
  return { method: raw.method ?? 'GET', path, query, headers: raw.headers, body, caller, raw, warnings };
}

function parseInfo({ method, path, query }: ApiRequest) {
  try {
    return parseRequestInfo(method, path, query);
  } catch (error) {
    if (error instanceof URIError) throw badRequest('the request path is not valid percent-encoding');
    throw error;
  }
}
