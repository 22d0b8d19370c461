import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { ApiConnection } from '../../src/agents/kube-client/api-connection.ts';

/** One request as a scripted server sees it. */
export interface ScriptedRequest {
  readonly url: URL;
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
}

/** An API server that answers as a test says, request by request. */
export class ScriptedApi implements AsyncDisposable {
  readonly #server: Server;
  readonly #waiting: ((request: ScriptedRequest) => void)[] = [];
  readonly #arrived: ScriptedRequest[] = [];

  private constructor(server: Server) {
    this.#server = server;
    server.on('request', (request, response) => {
      const arrived = { url: new URL(request.url ?? '', 'http://api'), request, response };
      const next = this.#waiting.shift();
      if (next === undefined) this.#arrived.push(arrived);
      else next(arrived);
    });
  }

  static async start(): Promise<ScriptedApi> {
    const server = createServer();
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    return new ScriptedApi(server);
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  /** How a client reaches it. */
  connection(credential: Partial<ApiConnection['credential']> = {}): ApiConnection {
    return {
      server: `http://127.0.0.1:${this.port}`,
      ca: undefined,
      insecureSkipTlsVerify: false,
      tlsServerName: undefined,
      namespace: 'default',
      credential: { tokens: [], headers: {}, ...credential },
    };
  }

  /** The next request, in order of arrival. */
  next(): Promise<ScriptedRequest> {
    const arrived = this.#arrived.shift();
    if (arrived !== undefined) return Promise.resolve(arrived);
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  /** Requests that came and were not asked for. */
  get unanswered(): number {
    return this.#arrived.length;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise<void>((done) => this.#server.close(() => done()));
  }
}

/** Answers with JSON. */
export function answer(
  { response }: ScriptedRequest,
  status: number,
  body: unknown,
  headers: Readonly<Record<string, string>> = {},
): void {
  response.writeHead(status, { 'content-type': 'application/json', ...headers });
  response.end(JSON.stringify(body));
}

/** Begins the answer of a watch and sends events. */
export function stream({ response }: ScriptedRequest, events: readonly unknown[]): void {
  if (!response.headersSent) response.writeHead(200, { 'content-type': 'application/json' });
  response.flushHeaders();
  for (const event of events) response.write(`${JSON.stringify(event)}\n`);
}

/** The Status object of a failure. */
export const failure = (code: number, reason: string, more: object = {}): object => ({
  kind: 'Status',
  apiVersion: 'v1',
  status: 'Failure',
  code,
  reason,
  message: `failed with ${reason}`,
  ...more,
});
