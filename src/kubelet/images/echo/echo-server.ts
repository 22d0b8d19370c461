import type { BuiltinImage } from '../builtin-image.ts';
import { BuiltinProgram } from '../serving/builtin-program.ts';
import { plainAddress } from '../serving/listen.ts';
import { readBody, serveHttp } from '../serving/serve-http.ts';

/** ealen/echo-server: the request and its server as JSON; `?echo_body=`, `?echo_code=`, `?echo_time=` shape the answer. */
export const echoServer: BuiltinImage = {
  names: ['ealen/echo-server', 'echo-server', 'http-https-echo'],
  summary:
    'Answers on port 80 (PORT or HTTP_PORT) with the request as JSON; ?echo_body=, ?echo_code= and ?echo_time= shape the answer.',
  programs: ['node'],
  entrypoint: 'args',
  start(context) {
    const { env } = context;
    const image = context.pod.spec?.containers.find(({ name }) => name === context.container)?.image ?? '';
    const fallback = image.includes('ealen') ? 80 : 8080;
    const port = Number(env['PORT'] ?? env['HTTP_PORT'] ?? fallback);
    const program = new BuiltinProgram((_signal, self) => self.exit(0));
    program.hold(
      serveHttp(context, { port }, async ({ message, method, path, query }, response) => {
        const parameter = (name: string): string | undefined =>
          query.get(`echo_${name}`) ?? (message.headers[`x-echo-${name}`] as string | undefined);
        const code = Number(parameter('code') ?? 200);
        const body = (await readBody(message)).toString('utf8');
        const wait = Math.min(Number(parameter('time') ?? 0) || 0, 60_000);
        if (wait > 0) await new Promise<void>((resolve) => program.after(wait, context, resolve));
        const answer = {
          host: {
            hostname: (message.headers.host ?? '').replace(/:\d+$/, ''),
            ip: plainAddress(message.socket.remoteAddress),
            ips: [],
          },
          http: { method, baseUrl: '', originalUrl: message.url, protocol: 'http' },
          request: {
            params: { 0: path },
            query: Object.fromEntries(query),
            cookies: {},
            body,
            headers: message.headers,
          },
          environment: { ...env, HOSTNAME: context.hostname },
        };
        response.writeHead(code >= 200 && code < 600 ? code : 200, {
          'content-type': 'application/json; charset=utf-8',
        });
        response.end(parameter('body') ?? JSON.stringify(answer));
      }),
    );
    context.print(`Listening on port ${port}.\n`);
    return program;
  },
};
