import type { IncomingMessage } from 'node:http';
import { ApiStatusError } from '../../kube/status.ts';
import type { Caller } from '../machinery/strategy.ts';
import { certificateCaller, trustedCaller } from './client-certificate.ts';
import type { ServiceAccountTokens } from './service-account-tokens.ts';

export const ANONYMOUS: Caller = { name: 'system:anonymous', groups: ['system:unauthenticated'] };

/** Users by token that are known from the start, as `--token-auth-file` names them. */
export type StaticTokens = ReadonlyMap<string, Caller>;

/**
 * Who sent the request: by client certificate, static or service account token. Without any of them it is anonymous;
 * with a token that is none it is Unauthorized (401).
 */
export function authenticate(
  request: IncomingMessage,
  tokens: ServiceAccountTokens,
  known: StaticTokens | undefined,
): Caller {
  const caller = certificateCaller(request.socket);
  if (caller) return caller;
  const token = bearerToken(request);
  if (token === undefined) return trustedCaller(request.socket) ?? ANONYMOUS;
  const found = known?.get(token) ?? tokens.review(token)?.caller;
  if (found) return found;
  throw new ApiStatusError('Unauthorized', 'Unauthorized');
}

function bearerToken({ headers }: IncomingMessage): string | undefined {
  const [scheme = '', token = ''] = (headers.authorization ?? '').trim().split(/\s+/);
  if (scheme.toLowerCase() === 'bearer' && token !== '') return token;
  // Browsers cannot set headers on WebSockets: the token travels as a subprotocol.
  const offered = headers['sec-websocket-protocol']?.split(',').map((text) => text.trim()) ?? [];
  const prefix = 'base64url.bearer.authorization.k8s.io.';
  const hidden = offered.find((protocol) => protocol.startsWith(prefix));
  return hidden && Buffer.from(hidden.slice(prefix.length), 'base64url').toString();
}
