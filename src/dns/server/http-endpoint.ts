import type { Server as HttpServer, IncomingMessage, ServerResponse } from 'node:http';
import type { Server } from 'node:net';
import type { HttpPage } from '../plugins/plugin.ts';
import type { DnsNetwork } from './dns-network.ts';

/** An HTTP server for the pages of one address. */
export class HttpEndpoint implements AsyncDisposable {
  readonly pages: readonly HttpPage[];
  readonly #listeners: readonly Server[];
  readonly #http: HttpServer;

  private constructor(pages: readonly HttpPage[], listeners: readonly Server[], http: HttpServer) {
    this.pages = pages;
    this.#listeners = listeners;
    this.#http = http;
  }

  static async open(network: DnsNetwork, pages: readonly HttpPage[]): Promise<HttpEndpoint> {
    const { address, port } = pages[0]!;
    // An import of node:http loads its lazy exports too (a whole fetch): 12 MB that a DNS server has no use for.
    const { createServer } = process.getBuiltinModule('node:http');
    const http = createServer((request, response) => answer(pages, request, response));
    const listeners = await network.listenTcp(address === 'localhost' ? '127.0.0.1' : address, port);
    for (const listener of listeners) {
      listener.on('connection', (socket) => http.emit('connection', socket));
    }
    return new HttpEndpoint(pages, listeners, http);
  }

  /** The port that it listens on. */
  get port(): number {
    const address = this.#listeners[0]?.address();
    return typeof address === 'object' && address !== null ? address.port : 0;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const closed = this.#listeners.map((listener) => new Promise<void>((done) => listener.close(() => done())));
    this.#http.closeAllConnections();
    await Promise.all(closed);
  }
}

function answer(pages: readonly HttpPage[], request: IncomingMessage, response: ServerResponse): void {
  const path = (request.url ?? '').split('?')[0];
  const page = pages.find((candidate) => candidate.path === path);
  const { status, body, type } = page?.render() ?? { status: 404, body: '404 page not found\n', type: 'text/plain' };
  response.writeHead(status, { 'content-type': type, 'content-length': Buffer.byteLength(body), connection: 'close' });
  response.end(body);
}
