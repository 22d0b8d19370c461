import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import type { WebSocket, WebSocketServer } from 'ws';
import { ApiStatusError } from '../../kube/status.ts';
import type { ApiRequest } from '../http/api-request.ts';
import { badRequest } from '../machinery/errors.ts';

export type UpgradeProtocol = 'websocket' | 'spdy';

/** What the client wants the connection to become. Throws ApiStatusError BadRequest when it wants nothing of the kind. */
export function upgradeProtocol({ headers }: ApiRequest): UpgradeProtocol {
  const upgrade = headers.upgrade?.toLowerCase();
  if (headers.connection?.toLowerCase().includes('upgrade')) {
    if (upgrade === 'websocket') return 'websocket';
    if (upgrade === 'spdy/3.1') return 'spdy';
  }
  throw badRequest('Upgrade request required');
}

/** The first of our subprotocols that the client offers. Throws ApiStatusError Forbidden (403) as the real server does. */
export function chooseSpdyProtocol({ raw }: ApiRequest, ours: readonly string[]): string {
  const offered = headerValues(raw, 'x-stream-protocol-version');
  if (offered.length === 0) return '';
  const chosen = ours.find((protocol) => offered.includes(protocol));
  if (chosen !== undefined) return chosen;
  throw new ApiStatusError(
    'Forbidden',
    `unable to upgrade: unable to negotiate protocol: client supports [${offered.join(' ')}], server accepts [${ours.join(' ')}]`,
  );
}

function headerValues({ rawHeaders }: IncomingMessage, name: string): string[] {
  const values: string[] = [];
  for (let i = 0; i < rawHeaders.length; i += 2) {
    if (rawHeaders[i]!.toLowerCase() === name) values.push(...rawHeaders[i + 1]!.split(',').map((text) => text.trim()));
  }
  return values;
}

/** Answers 101 with the subprotocol; the socket speaks SPDY after it. */
export function acceptSpdy(socket: Duplex, protocol: string): void {
  const lines = ['HTTP/1.1 101 Switching Protocols', 'Connection: Upgrade', 'Upgrade: SPDY/3.1'];
  if (protocol !== '') lines.push(`X-Stream-Protocol-Version: ${protocol}`);
  socket.write(`${lines.join('\r\n')}\r\n\r\n`);
}

export interface WebSocketUpgrade {
  readonly request: IncomingMessage;
  readonly socket: Duplex;
  readonly head: Buffer;
  readonly protocols: readonly string[];
}

/** Makes a WebSocket of the connection; ws answers 400 itself for a handshake that is none. */
export async function acceptWebSocket({ request, socket, head, protocols }: WebSocketUpgrade): Promise<WebSocket> {
  const { WebSocketServer } = await import('ws');
  const server: WebSocketServer = new WebSocketServer({
    noServer: true,
    perMessageDeflate: false,
    maxPayload: 16 * 1024 * 1024,
    handleProtocols: (offered) => protocols.find((protocol) => offered.has(encodeProtocol(protocol))) ?? false,
  });
  // A slash is no character of a token, so ws refuses kubectl's `SPDY/3.1+portforward.k8s.io`: it travels in disguise.
  const header = request.headers['sec-websocket-protocol'];
  if (header !== undefined) request.headers['sec-websocket-protocol'] = encodeProtocol(header);
  server.on('headers', (headers) => {
    headers.forEach((line, i) => {
      if (/^sec-websocket-protocol:/i.test(line)) headers[i] = decodeProtocol(line);
    });
  });
  return new Promise((resolve) => server.handleUpgrade(request, socket, head, resolve));
}

const encodeProtocol = (text: string): string => text.replaceAll('/', '~slash~');
const decodeProtocol = (text: string): string => text.replaceAll('~slash~', '/');

/** The subprotocol that was agreed on, in its own spelling. */
export function agreedProtocol(socket: WebSocket): string {
  return decodeProtocol(socket.protocol);
}
