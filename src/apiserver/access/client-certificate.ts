import type { Duplex } from 'node:stream';
import { TLSSocket } from 'node:tls';
import type { Caller } from '../machinery/strategy.ts';

const AUTHENTICATED = 'system:authenticated';
const known = new WeakMap<Duplex, Caller | null>();

/** The user that the connection's client certificate names: common name, and organizations as groups. Undefined without one. */
export function certificateCaller(socket: Duplex): Caller | undefined {
  let caller = known.get(socket);
  if (caller === undefined) {
    caller = readCertificate(socket) ?? null;
    known.set(socket, caller);
  }
  return caller ?? undefined;
}

function readCertificate(socket: Duplex): Caller | undefined {
  if (!(socket instanceof TLSSocket) || !socket.authorized) return undefined;
  const { subject } = socket.getPeerCertificate();
  const name = [subject?.CN].flat()[0];
  if (!name) return undefined;
  const groups = [subject?.O ?? []].flat();
  return { name, groups: [...groups, AUTHENTICATED] };
}
