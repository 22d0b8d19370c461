import type { BuiltinImage } from '../builtin-image.ts';
import { BuiltinProgram, finished } from '../serving/builtin-program.ts';
import { remoteAddress } from '../serving/listen.ts';
import { FlagError, parseFlags } from '../serving/parse-flags.ts';
import { serveHttp } from '../serving/serve-http.ts';

const FLAGS = { text: 'string', listen: 'string', 'status-code': 'int', version: 'bool' } as const;

/** hashicorp/http-echo: answers every request with the text of -text or ECHO_TEXT. */
export const httpEcho: BuiltinImage = {
  names: ['http-echo'],
  summary: 'Answers every request on port 5678 (-listen=:PORT) with the text of -text or ECHO_TEXT.',
  programs: ['http-echo'],
  entrypoint: 'own',
  start(context) {
    const { values } = parse(context.args);
    const text = String(values.get('text') ?? context.env['ECHO_TEXT'] ?? '');
    if (text === '') {
      context.log('Missing -text option or ECHO_TEXT env var!');
      return finished(127);
    }
    const listen = String(values.get('listen') ?? ':5678');
    const { host = '', port } = /^\[?(?<host>[^\]]*?)\]?:(?<port>\d+)$/.exec(listen)?.groups ?? {};
    if (port === undefined) throw new Error(`listen ${listen}: missing port in address`);
    const program = new BuiltinProgram((_signal, self) => self.exit(0));
    const headers = { 'x-app-name': 'http-echo', 'x-app-version': '1.0.0' };
    program.hold(
      serveHttp(context, { host, port: Number(port) }, ({ path, message, method }, response) => {
        if (path === '/health') return void response.end('{"status":"ok"}\n');
        const body = `${text}\n`;
        response.writeHead(Number(values.get('status-code') ?? 200), headers).end(body);
        context.print(
          `${logTime(context.now())} ${message.headers.host} ${remoteAddress(message.socket)} "${method} ${message.url} HTTP/${message.httpVersion}" 200 ${body.length}\n`,
        );
      }),
    );
    context.log(`${logTime(context.now())} [INFO] server is listening on ${listen}`);
    return program;
  },
};

function parse(args: readonly string[]): ReturnType<typeof parseFlags> {
  try {
    return parseFlags(args, FLAGS);
  } catch (error) {
    if (error instanceof FlagError)
      throw new Error(error.message.replace('unknown flag: --', 'flag provided but not defined: -'));
    throw error;
  }
}

function logTime(ms: number): string {
  return new Date(ms).toISOString().slice(0, 19).replaceAll('-', '/').replace('T', ' ');
}
