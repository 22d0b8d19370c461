import type { IncomingHttpHeaders, IncomingMessage, ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';
import type { Caller } from '../machinery/strategy.ts';

/** A request after authentication, with its body read. */
export interface ApiRequest {
  readonly method: string;
  readonly path: string;
  readonly query: URLSearchParams;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
  readonly caller: Caller;
  readonly raw: IncomingMessage;
  /** Texts of the Warning headers of the answer, in order. */
  readonly warnings: string[];
  /** Throws Forbidden unless the caller may also create the object: for updates that create. */
  readonly authorizeCreate: () => void;
}

/** An answer whose body is at hand, in one or more parts. */
export interface BodyReply {
  readonly type: 'body';
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly parts: readonly Buffer[];
}

/** An answer of JSON that is made while it is sent; each piece is gone when the next is asked for. */
export interface ChunkedReply {
  readonly type: 'chunks';
  readonly chunks: Iterator<Buffer>;
  /** Bytes of all pieces, where that is known beforehand: they need no frames of HTTP then. */
  readonly length?: number | undefined;
}

/** An answer that its maker writes itself, after the headers that all answers have. */
export interface StreamReply {
  readonly type: 'stream';
  readonly write: (response: ServerResponse) => void;
}

/** The connection changes its protocol and belongs to its taker from then on. */
export interface UpgradeReply {
  readonly type: 'upgrade';
  readonly take: (socket: Duplex, head: Buffer) => void;
}

export type ApiReply = BodyReply | ChunkedReply | StreamReply | UpgradeReply;

const JSON_TYPE = { 'content-type': 'application/json' } as const;

const NEWLINE = Buffer.from('\n');

/** An answer of ready JSON. */
export function jsonReply(status: number, ...parts: readonly Buffer[]): BodyReply {
  return { type: 'body', status, headers: JSON_TYPE, parts: [...parts, NEWLINE] };
}

/** An answer of a value, stringified here. */
export function valueReply(status: number, value: unknown): BodyReply {
  const body = Buffer.from(`${JSON.stringify(value)}\n`);
  return { type: 'body', status, headers: JSON_TYPE, parts: [body] };
}

/** An answer of plain text. */
export function textReply(status: number, text: string): BodyReply {
  const headers = { 'content-type': 'text/plain; charset=utf-8', 'x-content-type-options': 'nosniff' };
  return { type: 'body', status, headers, parts: [Buffer.from(text)] };
}
