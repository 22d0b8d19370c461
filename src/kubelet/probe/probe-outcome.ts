/** What one run of a probe found; `message` is the text after `Readiness probe failed: ` in the kubelet's events. */
export type ProbeOutcome =
  | { readonly result: 'success' }
  | { readonly result: 'failure'; readonly message: string }
  /** The probe could not be run at all: it counts neither way. */
  | { readonly result: 'error'; readonly message: string };

/** The three probes of a container. */
export type ProbeKind = 'startup' | 'liveness' | 'readiness';

const CONNECT_ERRORS: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'connect: connection refused',
  EHOSTUNREACH: 'connect: no route to host',
  ENETUNREACH: 'connect: network is unreachable',
  ECONNRESET: 'read: connection reset by peer',
  ETIMEDOUT: 'i/o timeout',
  EACCES: 'connect: permission denied',
};

/** A failed connection in Go's words, as probes and Go programs report it: `dial tcp 10.244.0.2:80: connect: connection refused`. */
export function dialError(address: string, error: unknown): string {
  const { code = '', message } = error as NodeJS.ErrnoException;
  return `dial tcp ${address}: ${CONNECT_ERRORS[code] ?? message}`;
}

/** `10.244.0.2:80` or `[fd00::2]:80`. */
export function joinHostPort(host: string, port: number | string): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
}
