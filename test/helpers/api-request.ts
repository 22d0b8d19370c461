import { readFileSync } from 'node:fs';
import { Agent, type RequestOptions, request } from 'node:https';
import { parse } from 'yaml';

export interface ApiAnswer {
  readonly status: number;
  // biome-ignore lint/suspicious/noExplicitAny: answers of every kind are looked into.
  readonly body: any;
}

const patchTypes = {
  merge: 'application/merge-patch+json',
  strategic: 'application/strategic-merge-patch+json',
  json: 'application/json-patch+json',
} as const;

/** The API server as a client that knows nothing but its kubeconfig: methods, paths, bodies. */
export class ApiRequests implements Disposable {
  readonly #options: RequestOptions;
  readonly #agent: Agent;

  constructor(kubeconfig: string) {
    const { clusters, users } = parse(readFileSync(kubeconfig, 'utf8'));
    const decode = (text: string): string => Buffer.from(text, 'base64').toString();
    const server = new URL(clusters[0].cluster.server);
    this.#agent = new Agent({ keepAlive: true });
    this.#options = {
      host: server.hostname,
      port: server.port,
      ca: decode(clusters[0].cluster['certificate-authority-data']),
      cert: decode(users[0].user['client-certificate-data']),
      key: decode(users[0].user['client-key-data']),
      agent: this.#agent,
    };
  }

  /** Any status is an answer; a body that is JSON is parsed. */
  send(method: string, path: string, body?: unknown, contentType = 'application/json'): Promise<ApiAnswer> {
    const { promise, resolve, reject } = Promise.withResolvers<ApiAnswer>();
    const headers = body === undefined ? {} : { 'content-type': contentType };
    const outgoing = request({ ...this.#options, method, path, headers }, (response) => {
      let text = '';
      response.setEncoding('utf8');
      response.on('data', (chunk: string) => {
        text += chunk;
      });
      response.on('error', reject);
      response.on('end', () => resolve({ status: response.statusCode ?? 0, body: readBody(text) }));
    });
    outgoing.on('error', reject);
    outgoing.end(body === undefined ? undefined : typeof body === 'string' ? body : JSON.stringify(body));
    return promise;
  }

  get(path: string): Promise<ApiAnswer> {
    return this.send('GET', path);
  }

  patch(path: string, body: unknown, type: keyof typeof patchTypes = 'merge'): Promise<ApiAnswer> {
    return this.send('PATCH', path, body, patchTypes[type]);
  }

  /** Collects the events of a watch, as `TYPE name`, until it is disposed. */
  async watch(path: string): Promise<{ readonly seen: readonly string[] } & Disposable> {
    const seen: string[] = [];
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    let rest = '';
    const outgoing = request({ ...this.#options, method: 'GET', path }, (response) => {
      resolve();
      response.setEncoding('utf8');
      response.on('error', () => seen.push('ended'));
      response.on('data', (chunk: string) => {
        const lines = (rest + chunk).split('\n');
        rest = lines.pop() ?? '';
        for (const line of lines) {
          const { type, object } = JSON.parse(line);
          seen.push(`${type} ${object.metadata?.name}`);
        }
      });
    });
    outgoing.on('error', reject);
    outgoing.end();
    await promise;
    return { seen, [Symbol.dispose]: () => void outgoing.destroy() };
  }

  [Symbol.dispose](): void {
    this.#agent.destroy();
  }
}

function readBody(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    if (error instanceof SyntaxError) return text;
    throw error;
  }
}
