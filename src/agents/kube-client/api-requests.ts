import { once } from 'node:events';
import type { ClientRequest, Agent as HttpAgent, IncomingMessage } from 'node:http';
import type { Clock } from '../../kube/clock.ts';
import { ApiCredentials, type ApiCredentialsOptions, type CurrentCredential } from './api-credentials.ts';
import { statusError, unreachable } from './api-errors.ts';

export interface ApiRequest {
  readonly method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  /** Path and query. */
  readonly path: string;
  readonly body?: unknown;
  /** Default application/json. */
  readonly contentType?: string;
  /** Ends the request and the answer that goes on. */
  readonly signal?: AbortSignal;
}

export interface ApiRequestsOptions extends ApiCredentialsOptions {
  readonly userAgent: string;
}

/** Milliseconds of silence after which an answer is not waited for any longer; a watch may be silent. */
const SILENCE_MS = 60_000;
/** Finds a server that is gone without a word within some forty seconds. */
const KEEP_ALIVE_MS = 30_000;
const MOST_RETRIES = 10;

/** Speaks HTTP with one API server over connections that are kept. Failures are ApiStatusError or ERR_API_UNREACHABLE. */
export class ApiRequests implements Disposable {
  readonly #options: ApiRequestsOptions;
  readonly #credentials: ApiCredentials;
  #agent: { readonly agent: HttpAgent; readonly made: string } | undefined;
  #closed = false;

  constructor(options: ApiRequestsOptions) {
    this.#options = options;
    this.#credentials = new ApiCredentials(options);
  }

  /** Sends a request and reads the JSON of its answer. A server that asks to come back later is asked again, ten times. */
  async json<T>(request: ApiRequest): Promise<T> {
    for (let attempt = 0; ; attempt++) {
      const response = await this.#open(request, SILENCE_MS);
      const body = await this.#read(response);
      const code = response.statusCode ?? 0;
      if (code < 400) return JSON.parse(body) as T;
      const seconds = Number(response.headers['retry-after']);
      if (!(seconds >= 0) || (code !== 429 && code < 500) || attempt >= MOST_RETRIES) throw statusError(code, body);
      await wait(this.#options.clock, seconds * 1000);
    }
  }

  /** Opens an answer that goes on. Rejects for any status but a success. */
  async stream(path: string, signal: AbortSignal): Promise<IncomingMessage> {
    const response = await this.#open({ method: 'GET', path, signal });
    if ((response.statusCode ?? 0) < 400) return response;
    throw statusError(response.statusCode ?? 0, await this.#read(response));
  }

  [Symbol.dispose](): void {
    this.#closed = true;
    this.#agent?.agent.destroy();
  }

  async #open(request: ApiRequest, silenceMs?: number): Promise<IncomingMessage> {
    const response = await this.#send(request, silenceMs);
    if (response.statusCode !== 401 || !this.#credentials.renewable) return response;
    response.resume();
    this.#credentials.forget();
    return this.#send(request, silenceMs);
  }

  async #send(request: ApiRequest, silenceMs?: number): Promise<IncomingMessage> {
    for (;;) {
      const sent = this.#start(request, await this.#credentials.current());
      if (silenceMs !== undefined) endWhenSilent(sent, silenceMs);
      // Told below as long as there is no answer, and by the answer from then on.
      sent.on('error', () => {});
      try {
        const [response] = (await once(sent, 'response')) as [IncomingMessage];
        return response;
      } catch (error) {
        // The server may have closed a kept connection in the same moment; reading again is always right.
        if (sent.reusedSocket && request.method === 'GET' && isReset(error) && !this.#closed) continue;
        throw unreachable(this.#options.connection.server, error as Error);
      }
    }
  }

  #start(
    { method, path, body, contentType = 'application/json', signal }: ApiRequest,
    use: CurrentCredential,
  ): ClientRequest {
    const { connection, userAgent } = this.#options;
    if (this.#closed) throw unreachable(connection.server, new Error('this client was closed'));
    const content = body === undefined ? undefined : Buffer.from(JSON.stringify(body));
    const secure = connection.server.startsWith('https:');
    // TLS is six megabytes that a connection without it does not need.
    const protocol = secure ? process.getBuiltinModule('node:https') : process.getBuiltinModule('node:http');
    const sent = protocol.request(`${connection.server}${path}`, {
      method,
      agent: this.#agentFor(use, secure),
      ...(signal && { signal }),
      headers: {
        ...use.headers,
        accept: 'application/json',
        'user-agent': userAgent,
        ...(content && { 'content-type': contentType, 'content-length': content.length }),
      },
    });
    sent.end(content);
    return sent;
  }

  async #read(response: IncomingMessage): Promise<string> {
    const chunks: Buffer[] = [];
    try {
      for await (const chunk of response) chunks.push(chunk as Buffer);
    } catch (error) {
      throw unreachable(this.#options.connection.server, error as Error);
    }
    return Buffer.concat(chunks).toString();
  }

  // Connections belong to the certificate that they were opened with: a renewed one gets new connections.
  #agentFor({ tls }: CurrentCredential, secure: boolean): HttpAgent {
    const made = `${tls.ca} ${tls.cert} ${tls.key}`;
    if (this.#agent?.made === made) return this.#agent.agent;
    const { insecureSkipTlsVerify, tlsServerName } = this.#options.connection;
    const kept = { keepAlive: true, keepAliveMsecs: KEEP_ALIVE_MS, noDelay: true };
    const agent: HttpAgent = secure
      ? new (process.getBuiltinModule('node:https').Agent)({
          ...kept,
          ...Object.fromEntries(Object.entries(tls).filter(([, value]) => value !== undefined)),
          ...(tlsServerName === undefined ? {} : { servername: tlsServerName }),
          rejectUnauthorized: !insecureSkipTlsVerify,
        })
      : new (process.getBuiltinModule('node:http').Agent)(kept);
    this.#agent = { agent, made };
    return agent;
  }
}

const isReset = (error: unknown): boolean =>
  ['ECONNRESET', 'EPIPE'].includes((error as NodeJS.ErrnoException).code ?? '');

function endWhenSilent(sent: ClientRequest, ms: number): void {
  sent.setTimeout(ms, () => sent.destroy(new Error(`no answer within ${ms / 1000} s`)));
}

function wait(clock: Clock, ms: number): Promise<void> {
  return new Promise((resolve) => clock.schedule(ms, resolve));
}
