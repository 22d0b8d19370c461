import type { ServerResponse } from 'node:http';
import { joinHostPort } from '../../probe/probe-outcome.ts';
import type { BuiltinContext, BuiltinProcess } from '../builtin-image.ts';
import { BuiltinProgram, goSignalExit } from '../serving/builtin-program.ts';
import { klogLine } from '../serving/klog.ts';
import { type Datagram, remoteAddress, serveUdp } from '../serving/listen.ts';
import { parseDuration, parseFlags } from '../serving/parse-flags.ts';
import { type HttpListener, type HttpRequest, headerPairs, readBody, serveHttp } from '../serving/serve-http.ts';
import { dial } from './dial.ts';

const FLAGS = {
  'http-port': 'int',
  'udp-port': 'int',
  'sctp-port': 'int',
  'tls-cert-file': 'string',
  'tls-private-key-file': 'string',
  'http-override': 'string',
  'udp-listen-addresses': 'string',
  'delay-shutdown': 'int',
} as const;

/** `agnhost netexec`: the HTTP and UDP server that Kubernetes' own network tests use. */
export function netexec(context: BuiltinContext, args: readonly string[]): BuiltinProcess {
  return new Netexec(context, args).program;
}

class Netexec {
  readonly program: BuiltinProgram;
  readonly #context: BuiltinContext;
  readonly #flags: ReadonlyMap<string, string | number | boolean>;
  readonly #http: HttpListener;
  #isTerminating = false;

  constructor(context: BuiltinContext, args: readonly string[]) {
    this.#context = context;
    this.#flags = parseFlags(args, FLAGS).values;
    this.program = new BuiltinProgram((signal) => this.#onSignal(signal));
    const port = this.#number('http-port', 8080);
    this.#refuseUnserved();
    this.#startUdp();
    this.#log(`Started HTTP server on port ${port}`);
    this.#http = this.program.hold(
      serveHttp(context, { port }, (request, response) => this.#answer(request, response)),
    );
  }

  #log(message: string): void {
    this.#context.log(klogLine(this.#context.now(), message));
  }

  #number(name: string, fallback: number): number {
    return (this.#flags.get(name) as number | undefined) ?? fallback;
  }

  #refuseUnserved(): void {
    if (this.#number('sctp-port', -1) !== -1)
      throw new Error('failed to create listener for SCTP: protocol not supported');
    if (this.#flags.has('tls-cert-file')) throw new Error('the built-in netexec serves no TLS');
  }

  #startUdp(): void {
    const port = this.#number('udp-port', 8081);
    if (port === -1) return;
    const hosts = String(this.#flags.get('udp-listen-addresses') ?? '').split(',');
    for (const host of new Set(hosts)) {
      const address = host === '' ? { port } : { host, port };
      this.program.hold(serveUdp(this.#context.netns, address, (datagram) => this.#answerUdp(datagram)));
      this.#log(`Started UDP server on port ${host} ${port}`);
    }
  }

  #onSignal(signal: NodeJS.Signals): void {
    if (signal !== 'SIGTERM') return void this.program.exit(goSignalExit);
    if (this.#isTerminating) return;
    this.#isTerminating = true;
    const delay = this.#number('delay-shutdown', 0);
    if (delay <= 0) return void this.program.exit(0);
    this.#log(`Sleeping ${delay} seconds before terminating...`);
    this.program.hold(this.#context.schedule(delay * 1000, () => this.program.exit(0)));
  }

  #answerUdp({ data, from, reply }: Datagram): void {
    const text = data.toString('utf8').trim().toLowerCase();
    const sender = remoteAddress({ remoteAddress: from.address, remotePort: from.port });
    if (text === 'hostname') reply(this.#context.hostname);
    else if (text.startsWith('echo ')) reply(text.slice('echo '.length));
    else if (text === 'clientip') reply(sender);
    else if (text !== '') this.#log(`Unknown UDP command received from ${sender}: ${text}`);
  }

  async #answer(request: HttpRequest, response: ServerResponse): Promise<void> {
    const override = this.#flags.get('http-override');
    if (override === undefined) return this.#route(request, response);
    const url = new URL(String(override), 'http://pod');
    return this.#route({ ...request, path: url.pathname, query: url.searchParams }, response);
  }

  async #route(request: HttpRequest, response: ServerResponse): Promise<void> {
    const { path, message } = request;
    if (path === '/dial') return this.#dial(request, response);
    if (path === '/shell') return this.#shell(request, response);
    if (path === '/upload') return this.#upload(request, response);
    if (path === '/exit') return this.#exit(request, response);
    if (path === '/echo') return this.#echo(request, response);
    if (path === '/redirect') return this.#redirect(request, response);
    if (path === '/header') return this.#header(request, response);
    this.#log(`GET ${path}`);
    const { hostname } = this.#context;
    if (path === '/hostname' || path === '/hostName') response.end(hostname);
    else if (path === '/clientip') response.end(remoteAddress(message.socket));
    else if (path === '/serverport') response.end(String(message.socket.localPort));
    else if (path === '/healthz') response.end();
    else if (path === '/readyz' && this.#isTerminating) response.writeHead(503).end('shutting down');
    else if (path === '/readyz') response.end('ok');
    else if (path === '/shutdown') this.program.exit(0);
    else response.end(`NOW: ${goTime(this.#context.now())}`);
  }

  async #echo({ query, message }: HttpRequest, response: ServerResponse): Promise<void> {
    const form = await formOf(query, message);
    const text = form.get('msg') ?? '';
    const code = form.get('code') ?? '';
    this.#log(`GET /echo?msg=${text}&code=${code}`);
    if (code !== '' && !/^\d+$/.test(code)) {
      return void response.end(`argument 'code' must be an integer or empty, got "${code}"\n`);
    }
    response.writeHead(code === '' ? 200 : Number(code)).end(text);
  }

  #redirect({ query, method }: HttpRequest, response: ServerResponse): void {
    const location = query.get('location') ?? '';
    const code = query.get('code') ?? '302';
    this.#log(`${method} /redirect?msg=${location}&code=${code}`);
    if (!/^\d+$/.test(code)) return void response.end(`argument 'code' must be an integer or empty, got "${code}"\n`);
    response.writeHead(Number(code), { location }).end();
  }

  #header({ query, message }: HttpRequest, response: ServerResponse): void {
    const key = query.get('key');
    this.#log(key ? `GET /header?key=${key}` : 'GET /header');
    if (key) return void response.end(String(message.headers[key.toLowerCase()] ?? ''));
    const all: Record<string, string[]> = {};
    for (const [name, value] of headerPairs(message))
      if (name.toLowerCase() !== 'host') all[canonical(name)] = [...(all[canonical(name)] ?? []), value];
    response.end(JSON.stringify(all));
  }

  #exit({ query }: HttpRequest, response: ServerResponse): void {
    const [code = '', timeout = '', wait = ''] = ['code', 'timeout', 'wait'].map((name) => query.get(name) ?? '');
    this.#log(`GET /exit?code=${code}&timeout=${timeout}&wait=${wait}`);
    const [timeoutMs, waitMs] = [timeout, wait].map((text) => (text === '' ? 0 : parseDuration(text)));
    const bad = timeoutMs === undefined ? ['timeout', timeout] : waitMs === undefined ? ['wait', wait] : undefined;
    if (bad)
      return void response.end(`argument '${bad[0]}' must be a valid golang duration or empty, got "${bad[1]}"\n`);
    if (code !== '' && !/^-?\d+$/.test(code)) {
      return void response.end(`argument 'code' must be an integer [0-127] or empty, got "${code}"\n`);
    }
    const exitCode = Number(code) & 255;
    this.#log(
      `Will begin shutdown in ${waitMs}ms, allowing ${timeoutMs}ms for connections to close, then will exit with ${exitCode}`,
    );
    this.program.hold(
      this.#context.schedule(waitMs ?? 0, () => {
        if (timeoutMs === 0) return this.program.exit(exitCode);
        response.end();
        this.program.hold(this.#context.schedule(timeoutMs ?? 0, () => this.program.exit(exitCode)));
        void this.#http.drain().then(() => this.program.exit(exitCode));
      }),
    );
  }

  async #dial({ query }: HttpRequest, response: ServerResponse): Promise<void> {
    const word = (name: string): string => query.get(name) ?? '';
    const [host, port, request, protocol, tries] = ['host', 'port', 'request', 'protocol', 'tries'].map(word);
    this.#log(`GET /dial?host=${host}&protocol=${protocol}&port=${port}&request=${request}&tries=${tries}`);
    const target = joinHostPort(host ?? '', port ?? '');
    if (tries && !/^\d+$/.test(tries))
      return badRequest(response, `tries parameter is invalid. strconv.Atoi: parsing "${tries}": invalid syntax`);
    if (!request) return badRequest(response, 'request parameter not specified. <nil>');
    const kind = (protocol || 'http').toLowerCase();
    if (!['http', 'udp', 'sctp'].includes(kind)) return badRequest(response, `unsupported protocol. ${protocol}`);
    const number = Number(port);
    const address = await this.#context.resolve(host ?? '').then(
      ([first]) => first,
      () => undefined,
    );
    if (address === undefined || !(number > 0 && number < 65536)) {
      return badRequest(response, `host and/or port param are invalid. address ${target}: no such host or port`);
    }
    const results = await dial(this.#context, {
      kind,
      host: address,
      port: number,
      request,
      tries: Number(tries || 1),
    });
    response.end(JSON.stringify(results));
  }

  async #shell({ query, message }: HttpRequest, response: ServerResponse): Promise<void> {
    const form = await formOf(query, message);
    const command = form.get('shellCommand') || form.get('cmd') || '';
    this.#log(`GET /shell?cmd=${command}`);
    const { exitCode, stdout } = await this.#context.run(['/bin/sh', '-c', '{ eval "$0"; } 2>&1', command]);
    const output = stdout.toString('utf8');
    const result = {
      ...(exitCode === 0 ? {} : { error: `exit status ${exitCode}` }),
      ...(output === '' ? {} : { output }),
    };
    this.#log(
      `Output: map[${Object.entries(result)
        .map(([key, value]) => `${key}:${value}`)
        .join(' ')}]`,
    );
    response.end(JSON.stringify(result));
  }

  async #upload({ message }: HttpRequest, response: ServerResponse): Promise<void> {
    this.#log('GET /upload');
    const body = await readBody(message);
    response.writeHead(500).end(
      JSON.stringify({
        error: `Unable to upload file (${body.length} bytes): the built-in netexec has no /uploads folder`,
      }),
    );
  }
}

async function formOf(query: URLSearchParams, message: HttpRequest['message']): Promise<URLSearchParams> {
  const type = message.headers['content-type'] ?? '';
  if (!type.startsWith('application/x-www-form-urlencoded')) return query;
  const body = (await readBody(message)).toString('utf8');
  return new URLSearchParams([...new URLSearchParams(body), ...query]);
}

function badRequest(response: ServerResponse, message: string): void {
  response.writeHead(400, { 'content-type': 'text/plain; charset=utf-8' }).end(`${message}\n`);
}

function canonical(name: string): string {
  return name
    .toLowerCase()
    .replace(/(^|-)([a-z])/g, (_, before: string, letter: string) => before + letter.toUpperCase());
}

// Go's default form of time.Now(), without the monotonic reading.
function goTime(ms: number): string {
  const time = new Date(ms).toISOString();
  return `${time.slice(0, 10)} ${time.slice(11, 23)}000000 +0000 UTC`;
}
