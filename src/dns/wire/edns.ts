/** What an OPT record carries (RFC 6891). */
export interface Edns {
  /** As advertised, not normalised: CoreDNS echoes even 100. */
  readonly udpSize: number;
  readonly version: number;
  /** The 16 flag bits; the highest is DO. */
  readonly flags: number;
  /** Upper eight bits of the response code. */
  readonly extendedRcode: number;
  readonly options: readonly EdnsOption[];
}

export interface EdnsOption {
  readonly code: number;
  readonly data: Uint8Array;
}

export const EdnsOptionCode = {
  NSID: 3,
  ECS: 8,
  EXPIRE: 9,
  COOKIE: 10,
  TCP_KEEPALIVE: 11,
  PADDING: 12,
  EDE: 15,
} as const;

export const DO_BIT = 0x8000;

/** The options that a reply repeats as received, as CoreDNS does; ECS and unknown ones are dropped. */
export function isEchoedOption(code: number): boolean {
  return code === EdnsOptionCode.NSID || (code >= EdnsOptionCode.EXPIRE && code <= EdnsOptionCode.PADDING);
}

/** Reads the options of an OPT record's rdata; undefined when a length runs over the end. */
export function readEdnsOptions(bytes: Uint8Array, start: number, end: number): EdnsOption[] | undefined {
  const options: EdnsOption[] = [];
  let at = start;
  while (at < end) {
    if (at + 4 > end) return undefined;
    const code = (bytes[at]! << 8) | bytes[at + 1]!;
    const size = (bytes[at + 2]! << 8) | bytes[at + 3]!;
    if (at + 4 + size > end) return undefined;
    options.push({ code, data: bytes.slice(at + 4, at + 4 + size) });
    at += 4 + size;
  }
  return options;
}

/** Bytes of the OPT record with these options. */
export function ednsLength(options: readonly EdnsOption[]): number {
  return options.reduce((sum, option) => sum + 4 + option.data.length, 11);
}

/** An extended DNS error (RFC 8914). */
export function extendedError(code: number, text: string): EdnsOption {
  const message = Buffer.from(text, 'utf8');
  const data = new Uint8Array(2 + message.length);
  data[0] = code >> 8;
  data[1] = code & 0xff;
  data.set(message, 2);
  return { code: EdnsOptionCode.EDE, data };
}
