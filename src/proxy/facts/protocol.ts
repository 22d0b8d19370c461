/** Protocols that a Service port may have, as netfilter spells them. */
export type Protocol = 'tcp' | 'udp' | 'sctp';

/** The protocol in lower case, TCP when unset; undefined when it is none that a Service may have. */
export function protocolOf(text: string | undefined): Protocol | undefined {
  const lower = (text ?? 'TCP').toLowerCase();
  return lower === 'tcp' || lower === 'udp' || lower === 'sctp' ? lower : undefined;
}

/** True for 1 to 65535. */
export function isPort(port: number | undefined): port is number {
  return port !== undefined && Number.isInteger(port) && port > 0 && port < 65_536;
}
