import type { IncomingHttpHeaders, IncomingMessage, OutgoingHttpHeaders } from 'node:http';

/** Headers of one connection, which end with it. */
const HOP_BY_HOP: ReadonlySet<string> = new Set([
  'connection',
  'keep-alive',
  'proxy-authenticate',
  'proxy-authorization',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
]);

/** The headers that go to the target: without the credentials and orders that were for the API server. */
export function requestHeaders({ headers, socket }: IncomingMessage, forwardedUri: string): OutgoingHttpHeaders {
  const kept = withoutHopByHop(headers);
  for (const name of Object.keys(kept))
    if (name === 'authorization' || name.startsWith('impersonate-')) delete kept[name];
  // Whoever has TE: trailers wants to hear of it further on.
  if (headers.te?.includes('trailers')) kept['te'] = 'trailers';
  if (headers['transfer-encoding'] !== undefined) kept['transfer-encoding'] = 'chunked';
  const before = headers['x-forwarded-for'];
  const client = socket.remoteAddress ?? '127.0.0.1';
  return {
    ...kept,
    'x-forwarded-for': before === undefined ? client : `${[before].flat().join(', ')}, ${client}`,
    'x-forwarded-uri': forwardedUri,
  };
}

/** The headers of the answer that go to the client: what the target says about other sites is not for the API server to repeat. */
export function responseHeaders(headers: IncomingHttpHeaders): OutgoingHttpHeaders {
  const kept = withoutHopByHop(headers);
  for (const name of Object.keys(kept)) if (name.startsWith('access-control-')) delete kept[name];
  return kept;
}

function withoutHopByHop(headers: IncomingHttpHeaders): OutgoingHttpHeaders {
  const named = (headers.connection ?? '').split(',').map((name) => name.trim().toLowerCase());
  const entries = Object.entries(headers).filter(([name]) => !HOP_BY_HOP.has(name) && !named.includes(name));
  return Object.fromEntries(entries);
}
