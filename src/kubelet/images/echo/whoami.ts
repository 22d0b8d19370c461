import type { BuiltinContext, BuiltinImage } from '../builtin-image.ts';
import { BuiltinProgram } from '../serving/builtin-program.ts';
import { remoteAddress } from '../serving/listen.ts';
import { parseFlags } from '../serving/parse-flags.ts';
import { type HttpRequest, headerPairs, serveHttp } from '../serving/serve-http.ts';

const FLAGS = { port: 'string', name: 'string', verbose: 'bool' } as const;

/** traefik/whoami: tells who answered and what was asked, as text at / and as JSON at /api. */
export const whoami: BuiltinImage = {
  names: ['whoami'],
  summary: 'Answers on port 80 (--port) with its hostname, addresses and the request as it came; JSON at /api.',
  programs: ['whoami'],
  entrypoint: 'own',
  start(context) {
    const { values } = parseFlags(context.args, FLAGS);
    const port = Number(values.get('port') ?? context.env['WHOAMI_PORT_NUMBER'] ?? 80);
    const name = String(values.get('name') ?? context.env['WHOAMI_NAME'] ?? '');
    const program = new BuiltinProgram();
    program.hold(
      serveHttp(context, { port }, (request, response) => {
        if (request.path === '/health') response.end();
        else if (request.path === '/api')
          response.writeHead(200, { 'content-type': 'application/json' }).end(`${asJson(context, name, request)}\n`);
        else if (request.path === '/bench') response.end('1');
        else response.end(asText(context, name, request));
      }),
    );
    context.log(`Starting up on port ${port}`);
    return program;
  },
};

const addresses = ({ podIPs }: BuiltinContext): readonly string[] => ['127.0.0.1', '::1', ...podIPs];

function asText(context: BuiltinContext, name: string, { message, method }: HttpRequest): string {
  const headers = headerPairs(message).filter(([key]) => key.toLowerCase() !== 'host');
  return [
    ...(name === '' ? [] : [`Name: ${name}`]),
    `Hostname: ${context.hostname}`,
    ...addresses(context).map((ip) => `IP: ${ip}`),
    `RemoteAddr: ${remoteAddress(message.socket)}`,
    `${method} ${message.url} HTTP/${message.httpVersion}`,
    `Host: ${message.headers.host ?? ''}`,
    ...headers.map(([key, value]) => `${key}: ${value}`).sort(),
    '',
    '',
  ].join('\n');
}

function asJson(context: BuiltinContext, name: string, { message, method }: HttpRequest): string {
  const headers: Record<string, string[]> = {};
  for (const [key, value] of headerPairs(message))
    if (key.toLowerCase() !== 'host') headers[key] = [...(headers[key] ?? []), value];
  return JSON.stringify({
    hostname: context.hostname,
    ip: addresses(context),
    headers,
    url: message.url,
    host: message.headers.host ?? '',
    method,
    ...(name === '' ? {} : { name }),
    remoteAddr: remoteAddress(message.socket),
  });
}
