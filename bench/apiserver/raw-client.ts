import { once } from 'node:events';
import { connect as connectPlain, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import type { ServerFacts } from './bench-server.ts';

const HEAD_END = Buffer.from('\r\n\r\n');
const LAST_CHUNK = Buffer.from('0\r\n\r\n');

/** One keep-alive connection that sends one request at a time and reads no more of an answer than it must. */
export class RawClient implements Disposable {
  readonly #socket: Socket;
  readonly #headers: string;
  #buffered: Buffer[] = [];
  #length = 0;
  #needed = -1;
  #status = 0;
  #isChunked = false;
  #done: ((status: number) => void) | undefined;

  private constructor(socket: Socket, headers: string) {
    this.#socket = socket;
    this.#headers = headers;
    socket.setNoDelay(true);
    socket.on('data', (chunk: Buffer) => this.#read(chunk));
  }

  static async open({ url, ca, token }: ServerFacts): Promise<RawClient> {
    const { hostname: host, port } = new URL(url);
    const isSecure = url.startsWith('https');
    const socket = isSecure ? connectTls({ host, port: Number(port), ca }) : connectPlain(Number(port), host);
    await once(socket, isSecure ? 'secureConnect' : 'connect');
    return new RawClient(socket, `Host: ${host}\r\nAuthorization: Bearer ${token}\r\n`);
  }

  /** Sends a request; resolves with its status when the whole answer is there. */
  send(method: string, path: string, body = ''): Promise<number> {
    const length =
      body === '' ? '' : `Content-Type: application/json\r\nContent-Length: ${Buffer.byteLength(body)}\r\n`;
    this.#socket.write(`${method} ${path} HTTP/1.1\r\n${this.#headers}${length}\r\n${body}`);
    return new Promise((resolve) => {
      this.#done = resolve;
    });
  }

  [Symbol.dispose](): void {
    this.#socket.destroy();
  }

  #read(chunk: Buffer): void {
    this.#buffered.push(chunk);
    this.#length += chunk.length;
    if (this.#needed === -1) this.#readHead();
    if (this.#needed === -1 || this.#length < this.#needed) return;
    if (this.#isChunked && !chunk.subarray(-LAST_CHUNK.length).equals(LAST_CHUNK)) return;
    this.#buffered = [];
    this.#length = 0;
    this.#needed = -1;
    this.#done?.(this.#status);
  }

  #readHead(): void {
    const bytes = this.#buffered.length === 1 ? this.#buffered[0]! : Buffer.concat(this.#buffered);
    const end = bytes.indexOf(HEAD_END);
    this.#buffered = [bytes];
    if (end === -1) return;
    const head = bytes.toString('latin1', 0, end);
    this.#status = Number(head.slice(9, 12));
    const length = /content-length: (\d+)/i.exec(head)?.[1];
    this.#isChunked = length === undefined;
    this.#needed = end + HEAD_END.length + Number(length ?? 0);
  }
}

/** Opens several. */
export function openClients(server: ServerFacts, count: number): Promise<RawClient[]> {
  return Promise.all(Array.from({ length: count }, () => RawClient.open(server)));
}
