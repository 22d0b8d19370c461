import type { ServerResponse } from 'node:http';
import type { BuiltinContext, BuiltinProcess } from '../builtin-image.ts';
import { BuiltinProgram } from '../serving/builtin-program.ts';
import { plainAddress } from '../serving/listen.ts';
import { type HttpRequest, serveHttp } from '../serving/serve-http.ts';
import { sendFile } from './static-files.ts';

export interface WebServer {
  /** The Server header. */
  readonly server: string;
  /** Where the image keeps its pages: a volume mounted there is served. */
  readonly root: string;
  readonly port: number;
  /** The page at / when no volume is mounted. */
  readonly welcome: (context: BuiltinContext) => string;
  readonly notFound: string;
}

/** Runs a web server: the pages of a volume, or a welcome page that names the pod, with an access log. */
export function runWebServer(context: BuiltinContext, web: WebServer): BuiltinProcess {
  const program = new BuiltinProgram((_signal, self) => self.exit(0));
  program.hold(
    serveHttp(context, { port: web.port }, async (request, response) => {
      response.setHeader('server', web.server);
      // When it is over the socket may have forgotten whose it was.
      const client = plainAddress(request.message.socket.remoteAddress);
      response.once('close', () => context.print(accessLogLine({ ms: context.now(), client, request, response })));
      await answer(context, web, { request, response });
    }),
  );
  return program;
}

async function answer(
  context: BuiltinContext,
  web: WebServer,
  { request, response }: { readonly request: HttpRequest; readonly response: ServerResponse },
): Promise<void> {
  if (request.method !== 'GET' && request.method !== 'HEAD') return html(response, 405, '<h1>405 Not Allowed</h1>\n');
  const root = await context.volumePath(web.root);
  if (root !== undefined) {
    if (!(await sendFile(root, request, response))) html(response, 404, web.notFound);
  } else if (request.path === '/' || request.path === '/index.html') html(response, 200, web.welcome(context));
  else html(response, 404, web.notFound);
}

function html(response: ServerResponse, status: number, page: string): void {
  response.writeHead(status, { 'content-type': 'text/html', 'content-length': Buffer.byteLength(page) }).end(page);
}

interface Access {
  readonly ms: number;
  readonly client: string;
  readonly request: HttpRequest;
  readonly response: ServerResponse;
}

// The "combined" format of nginx and Apache.
function accessLogLine({ ms, client, request: { message, method }, response }: Access): string {
  const time = new Date(ms).toUTCString();
  const [, day, month, year, clock] = /^\w+, (\d+) (\w+) (\d+) ([\d:]+)/.exec(time) ?? [];
  const request = `${method} ${message.url} HTTP/${message.httpVersion}`;
  const { referer = '-', 'user-agent': agent = '-' } = message.headers;
  const length = response.getHeader('content-length') ?? '-';
  return `${client} - - [${day}/${month}/${year}:${clock} +0000] "${request}" ${response.statusCode} ${length} "${referer}" "${agent}"\n`;
}
