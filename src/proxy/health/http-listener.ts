import type { IncomingMessage, Server } from 'node:http';

const { createServer } = process.getBuiltinModule('node:http');

/** Where a server listens. */
export interface ListenAddress {
  readonly host: string;
  readonly port: number;
  /** `0.0.0.0` stands for all addresses of IPv6 too. */
  readonly bothFamilies?: boolean;
}

/** Opens a listening TCP socket in the node's network namespace and gives its descriptor. Throws when the port is taken. */
export type Listen = (address: ListenAddress) => number;

/** An HTTP answer. */
export interface PlainResponse {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

// Node looks for slow clients twice a minute, also while there is none, which is most of what an idle proxy would do. Each
// connection that is silent for a minute ends by a timer of its own.
const SILENCE_MS = 60_000;
const LOOK_FOR_SLOW_CLIENTS_MS = 600_000;

/** Serves GET requests on a socket that is listening already, until it is disposed of. */
export function serveHttp(fd: number, respond: (request: IncomingMessage) => PlainResponse): Disposable {
  const server: Server = createServer(
    { connectionsCheckingInterval: LOOK_FOR_SLOW_CLIENTS_MS },
    (request, response) => {
      const { status, headers, body } = respond(request);
      response.writeHead(status, { ...headers, 'content-length': Buffer.byteLength(body) });
      response.end(request.method === 'HEAD' ? undefined : body);
    },
  );
  server.timeout = SILENCE_MS;
  server.listen({ fd });
  return {
    [Symbol.dispose]: () => {
      server.close();
      server.closeAllConnections();
    },
  };
}

/** Splits `ip:port` or `[ip]:port`; undefined when it is neither. */
export function splitHostPort(text: string): { readonly host: string; readonly port: number } | undefined {
  const [, bracketed, plain, port] = /^(?:\[([^\]]+)\]|([^:]+)):(\d+)$/.exec(text) ?? [];
  return port === undefined ? undefined : { host: bracketed ?? plain ?? '', port: Number(port) };
}
