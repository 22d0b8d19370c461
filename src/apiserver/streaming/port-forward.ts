import type { Duplex } from 'node:stream';
import type { WebSocket } from 'ws';
import type { Pod } from '../../kube/generated/types.ts';
import type { KubeletConnection } from '../../kube/kubelet-connection.ts';
import type { ApiReply, ApiRequest } from '../http/api-request.ts';
import { findEntry } from '../http/read-verbs.ts';
import { asStatusError } from '../http/send-reply.ts';
import { badRequest } from '../machinery/errors.ts';
import { storedObject } from '../machinery/stored-object.ts';
import { methodNotAllowed } from '../subresources/object-subresources.ts';
import type { SubresourceHandler } from '../subresources/subresource-hooks.ts';
import type { Dial } from './dial.ts';
import { SpdySession } from './spdy/spdy-session.ts';
import type { SpdyStream } from './spdy/spdy-stream.ts';
import { acceptSpdy, acceptWebSocket, agreedProtocol, chooseSpdyProtocol, upgradeProtocol } from './upgrade.ts';
import { forwardWebSocketChannels } from './websocket-port-forward.ts';

const SPDY_PROTOCOL = 'portforward.k8s.io';
const TUNNEL_PROTOCOL = 'SPDY/3.1+portforward.k8s.io';
const CHANNEL_PROTOCOLS = ['v4.channel.k8s.io', 'v4.base64.channel.k8s.io'] as const;
const PAIR_MS = 30_000;

/** GET or POST of pods/NAME/portforward: SPDY, SPDY inside a WebSocket, or the older channels of a WebSocket. */
export function portForwardHandler(kubelet: KubeletConnection): SubresourceHandler {
  return async ({ machinery, resource, info, request }) => {
    if (info.verb !== 'get' && info.verb !== 'create') throw methodNotAllowed();
    const pod: Pod = storedObject(await findEntry(machinery, resource, info));
    if (!pod.spec?.nodeName) throw badRequest(`pod ${info.name} does not have a host assigned`);
    return upgradeReply(request, (port) => kubelet.portForward(pod, port));
  };
}

function upgradeReply(request: ApiRequest, dial: Dial): ApiReply {
  if (upgradeProtocol(request) === 'websocket') {
    const ports = readPorts(request);
    const take = (socket: Duplex, head: Buffer): void => {
      const protocols = [TUNNEL_PROTOCOL, ...CHANNEL_PROTOCOLS];
      const upgrade = { request: request.raw, socket, head, protocols };
      void acceptWebSocket(upgrade).then((webSocket) => forward(webSocket, ports, dial));
    };
    return { type: 'upgrade', take };
  }
  const protocol = chooseSpdyProtocol(request, [SPDY_PROTOCOL]);
  return {
    type: 'upgrade',
    take: (socket, head) => {
      acceptSpdy(socket, protocol);
      if (head.length > 0) socket.unshift(head);
      forwardSpdy(socket, dial);
    },
  };
}

function readPorts({ query }: ApiRequest): number[] {
  return query
    .getAll('ports')
    .flatMap((text) => text.split(','))
    .map((text) => {
      const port = Number(text);
      if (Number.isInteger(port) && port > 0 && port < 65536) return port;
      throw badRequest(`query parameter "ports" has an invalid port: ${JSON.stringify(text)}`);
    });
}

async function forward(webSocket: WebSocket, ports: readonly number[], dial: Dial): Promise<void> {
  if (agreedProtocol(webSocket) !== TUNNEL_PROTOCOL) return forwardWebSocketChannels(webSocket, ports, dial);
  const { createWebSocketStream } = await import('ws');
  return forwardSpdy(createWebSocketStream(webSocket), dial);
}

interface Pair {
  error?: SpdyStream;
  data?: SpdyStream;
  readonly timer: NodeJS.Timeout;
}

// The client opens two streams for each connection, joined by a request id: one for errors, one for data.
function forwardSpdy(socket: Duplex, dial: Dial): void {
  const pairs = new Map<string, Pair>();
  const session = new SpdySession(socket, {
    onStream: (stream) => {
      const { streamtype: type, requestid: id = String(stream.id - (stream.id % 4 === 3 ? 2 : 0)) } = stream.headers;
      if (type !== 'error' && type !== 'data') {
        stream.destroy();
        return;
      }
      const pair = pairs.get(id) ?? { timer: setTimeout(() => session.close(), PAIR_MS) };
      pairs.set(id, pair);
      pair[type] = stream;
      if (!pair.error || !pair.data) return;
      clearTimeout(pair.timer);
      pairs.delete(id);
      void join(pair.error, pair.data, dial);
    },
    onClose: () => {
      for (const { timer } of pairs.values()) clearTimeout(timer);
    },
  });
}

async function join(error: SpdyStream, data: SpdyStream, dial: Dial): Promise<void> {
  error.resume();
  const port = Number(data.headers['port']);
  try {
    if (!Number.isInteger(port) || port < 1 || port > 65535)
      throw badRequest(`unable to parse "${data.headers['port']}" as a port`);
    const connection = await dial(port);
    connection.on('error', () => data.destroy());
    connection.pipe(data);
    data.pipe(connection);
    data.on('close', () => connection.destroy());
    connection.on('close', () => error.end());
  } catch (cause) {
    error.end(`error forwarding port ${port} to pod: ${asStatusError(cause).message}`);
    data.end();
  }
}
