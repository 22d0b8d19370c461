import type { Server } from 'node:http';
import type { Duplex } from 'node:stream';
import { TLSSocket } from 'node:tls';
import type { Caller } from '../machinery/strategy.ts';

const AUTHENTICATED = 'system:authenticated';
const known = new WeakMap<Duplex, Caller | null>();
const trusted = new WeakMap<Duplex, Caller>();

/** The user that the connection's client certificate names: common name, and organizations as groups. Undefined without one. */
export function certificateCaller(socket: Duplex): Caller | undefined {
  let caller = known.get(socket);
  if (caller === undefined) {
    caller = readCertificate(socket) ?? null;
    known.set(socket, caller);
  }
  return caller ?? undefined;
}

/** Takes everybody who connects to this server for this user, unless they prove to be another. */
export function trustConnections(server: Server, caller: Caller): void {
  const mark = (socket: Duplex): void => void trusted.set(socket, caller);
  server.on('connection', mark);
  server.on('secureConnection', mark);
}

/** The user that connections of the socket's listener are taken for. */
export function trustedCaller(socket: Duplex): Caller | undefined {
  return trusted.get(socket);
}

function readCertificate(socket: Duplex): Caller | undefined {
  if (!(socket instanceof TLSSocket) || !socket.authorized) return undefined;
  const { subject } = socket.getPeerCertificate();
  const name = [subject?.CN].flat()[0];
  if (!name) return undefined;
  const groups = [subject?.O ?? []].flat();
  return { name, groups: [...groups, AUTHENTICATED] };
}
