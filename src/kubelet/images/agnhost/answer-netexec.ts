import type { IncomingMessage, ServerResponse } from 'node:http';
import { joinHostPort } from '../../probe/probe-outcome.ts';
import type { BuiltinContext } from '../builtin-image.ts';
import type { BuiltinProgram } from '../serving/builtin-program.ts';
import { remoteAddress } from '../serving/listen.ts';
import { parseDuration } from '../serving/parse-flags.ts';
import { type HttpRequest, headerPairs, readBody } from '../serving/serve-http.ts';
import { dial } from './dial.ts';

/** A running netexec, as its HTTP endpoints see it. */
export interface NetexecServer {
  readonly context: BuiltinContext;
  readonly program: BuiltinProgram;
  readonly log: (message: string) => void;
  /** Terminating from SIGTERM on. */
  readonly state: { readonly isTerminating: boolean };
  /** Takes no new connections; resolves when the open ones are closed. */
  readonly drain: () => Promise<void>;
}

type Endpoint = (server: NetexecServer, request: HttpRequest, response: ServerResponse) => void | Promise<void>;

/** Answers a request as netexec does; what is no endpoint gets the time, as `/` does. */
export const answerNetexec: Endpoint = (server, request, response) => {
  const endpoint = ENDPOINTS[request.path];
  if (endpoint !== undefined) return endpoint(server, request, response);
  server.log(`GET ${request.path}`);
  const simple = SIMPLE[request.path] ?? printNow;
  return simple(server, request, response);
};

const sendHostname: Endpoint = ({ context }, _request, response) => void response.end(context.hostname);
const printNow: Endpoint = ({ context }, _request, response) => {
  // Go's default form of time.Now(), without the monotonic reading.
  const time = new Date(context.now()).toISOString();
  response.end(`NOW: ${time.slice(0, 10)} ${time.slice(11, 23)}000000 +0000 UTC`);
};

const SIMPLE: Readonly<Record<string, Endpoint>> = {
  '/hostname': sendHostname,
  '/hostName': sendHostname,
  '/clientip': (_server, { message }, response) => void response.end(remoteAddress(message.socket)),
  '/serverport': (_server, { message }, response) => void response.end(String(message.socket.localPort)),
  '/healthz': (_server, _request, response) => void response.end(),
  '/readyz': ({ state }, _request, response) => {
    if (state.isTerminating) response.writeHead(503).end('shutting down');
    else response.end('ok');
  },
  '/shutdown': ({ program }) => program.exit(0),
};

const ENDPOINTS: Readonly<Record<string, Endpoint>> = {
  '/echo': echo,
  '/redirect': redirect,
  '/header': header,
  '/exit': exit,
  '/dial': dialOut,
  '/shell': shell,
  '/upload': upload,
};

async function echo(server: NetexecServer, { query, message }: HttpRequest, response: ServerResponse): Promise<void> {
  const form = await formOf(query, message);
  const text = form.get('msg') ?? '';
  const code = form.get('code') ?? '';
  server.log(`GET /echo?msg=${text}&code=${code}`);
  if (!isInteger(code)) return void response.end(notAnInteger(code));
  response.writeHead(code === '' ? 200 : Number(code)).end(text);
}

function redirect(server: NetexecServer, { query, method }: HttpRequest, response: ServerResponse): void {
  const location = query.get('location') ?? '';
  const code = query.get('code') ?? '';
  server.log(`${method} /redirect?msg=${location}&code=${code}`);
  if (!isInteger(code)) return void response.end(notAnInteger(code));
  response.writeHead(Number(code || 302), { location }).end();
}

function header(server: NetexecServer, { query, message }: HttpRequest, response: ServerResponse): void {
  const key = query.get('key');
  server.log(key ? `GET /header?key=${key}` : 'GET /header');
  if (key) return void response.end(String(message.headers[key.toLowerCase()] ?? ''));
  const all: Record<string, string[]> = {};
  for (const [name, value] of headerPairs(message)) {
    const spelled = name.toLowerCase().replace(/(^|-)[a-z]/g, (start) => start.toUpperCase());
    if (spelled !== 'Host') all[spelled] = [...(all[spelled] ?? []), value];
  }
  response.end(JSON.stringify(all));
}

function exit({ context, program, log, drain }: NetexecServer, { query }: HttpRequest, response: ServerResponse): void {
  const [code = '', timeout = '', wait = ''] = ['code', 'timeout', 'wait'].map((name) => query.get(name) ?? '');
  log(`GET /exit?code=${code}&timeout=${timeout}&wait=${wait}`);
  const [timeoutMs, waitMs] = [timeout, wait].map((text) => (text === '' ? 0 : parseDuration(text)));
  if (timeoutMs === undefined) return void response.end(notADuration('timeout', timeout));
  if (waitMs === undefined) return void response.end(notADuration('wait', wait));
  if (!isInteger(code)) return void response.end(notAnInteger(code, ' [0-127]'));
  const exitCode = Number(code) & 255;
  const plan = `in ${waitMs}ms, allowing ${timeoutMs}ms for connections to close, then will exit with ${exitCode}`;
  log(`Will begin shutdown ${plan}`);
  program.after(waitMs, context, () => {
    if (timeoutMs === 0) return void program.exit(exitCode);
    response.end();
    program.after(timeoutMs, context, () => program.exit(exitCode));
    void drain().then(() => program.exit(exitCode));
  });
}

async function dialOut(
  { context, log }: NetexecServer,
  { query }: HttpRequest,
  response: ServerResponse,
): Promise<void> {
  const [host = '', port = '', request = '', protocol = '', tries = ''] = [
    'host',
    'port',
    'request',
    'protocol',
    'tries',
  ].map((name) => query.get(name) ?? '');
  log(`GET /dial?host=${host}&protocol=${protocol}&port=${port}&request=${request}&tries=${tries}`);
  if (!isInteger(tries)) {
    return badRequest(response, `tries parameter is invalid. strconv.Atoi: parsing "${tries}": invalid syntax`);
  }
  if (request === '') return badRequest(response, 'request parameter not specified. <nil>');
  const kind = (protocol || 'http').toLowerCase();
  if (!['http', 'udp', 'sctp'].includes(kind)) return badRequest(response, `unsupported protocol. ${protocol}`);
  const address = await context.resolve(host).then(
    ([first]) => first,
    () => undefined,
  );
  const number = Number(port);
  if (address === undefined || !(Number.isInteger(number) && number > 0 && number < 65536)) {
    return badRequest(
      response,
      `host and/or port param are invalid. address ${joinHostPort(host, port)}: no such host or port`,
    );
  }
  const results = await dial(context, { kind, host: address, port: number, request, tries: Number(tries || 1) });
  response.end(JSON.stringify(results));
}

async function shell(
  { context, log }: NetexecServer,
  { query, message }: HttpRequest,
  response: ServerResponse,
): Promise<void> {
  const form = await formOf(query, message);
  const command = form.get('shellCommand') || form.get('cmd') || '';
  log(`GET /shell?cmd=${command}`);
  const { exitCode, stdout } = await context.run(['/bin/sh', '-c', '{ eval "$0"; } 2>&1', command]);
  const output = stdout.toString('utf8');
  const result = {
    ...(exitCode === 0 ? {} : { error: `exit status ${exitCode}` }),
    ...(output === '' ? {} : { output }),
  };
  const printed = Object.entries(result).map(([key, value]) => `${key}:${value}`);
  log(`Output: map[${printed.join(' ')}]`);
  response.end(JSON.stringify(result));
}

async function upload({ log }: NetexecServer, { message }: HttpRequest, response: ServerResponse): Promise<void> {
  log('GET /upload');
  const { length } = await readBody(message);
  const error = `Unable to upload file (${length} bytes): the built-in netexec has no /uploads folder`;
  response.writeHead(500).end(JSON.stringify({ error }));
}

async function formOf(query: URLSearchParams, message: IncomingMessage): Promise<URLSearchParams> {
  const type = message.headers['content-type'] ?? '';
  if (!type.startsWith('application/x-www-form-urlencoded')) return query;
  const body = (await readBody(message)).toString('utf8');
  return new URLSearchParams([...new URLSearchParams(body), ...query]);
}

function badRequest(response: ServerResponse, message: string): void {
  response.writeHead(400, { 'content-type': 'text/plain; charset=utf-8' }).end(`${message}\n`);
}

const isInteger = (text: string): boolean => /^-?\d*$/.test(text) && text !== '-';
const notAnInteger = (text: string, range = ''): string =>
  `argument 'code' must be an integer${range} or empty, got "${text}"\n`;
const notADuration = (name: string, text: string): string =>
  `argument '${name}' must be a valid golang duration or empty, got "${text}"\n`;
