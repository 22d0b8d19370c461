import type { BuiltinContext, BuiltinProcess } from '../builtin-image.ts';
import { BuiltinProgram, goSignalExit } from '../serving/builtin-program.ts';
import { klogLine } from '../serving/klog.ts';
import { type Datagram, remoteAddress, serveUdp } from '../serving/listen.ts';
import { type ParsedFlags, parseFlags } from '../serving/parse-flags.ts';
import { serveHttp } from '../serving/serve-http.ts';
import { answerNetexec, type NetexecServer } from './answer-netexec.ts';

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
  const { values } = parseFlags(args, FLAGS);
  refuseUnserved(values);
  const log = (message: string): void => context.log(klogLine(context.now(), message));
  const state = { isTerminating: false };
  const program = new BuiltinProgram((signal) => {
    if (signal !== 'SIGTERM') return void program.exit(goSignalExit);
    if (state.isTerminating) return;
    state.isTerminating = true;
    const delay = number(values, 'delay-shutdown', 0);
    if (delay <= 0) return void program.exit(0);
    log(`Sleeping ${delay} seconds before terminating...`);
    program.after(delay * 1000, context, () => program.exit(0));
  });
  startUdp({ context, program, values, log });
  const port = number(values, 'http-port', 8080);
  log(`Started HTTP server on port ${port}`);
  const override = values.get('http-override') as string | undefined;
  const server: NetexecServer = { context, program, log, state, drain: () => http.drain() };
  const http = program.hold(
    serveHttp(context, { port }, (request, response) => {
      if (override === undefined) return answerNetexec(server, request, response);
      const { pathname, searchParams } = new URL(override, 'http://pod');
      return answerNetexec(server, { ...request, method: 'GET', path: pathname, query: searchParams }, response);
    }),
  );
  return program;
}

function number(values: ParsedFlags['values'], name: string, fallback: number): number {
  return (values.get(name) as number | undefined) ?? fallback;
}

function refuseUnserved(values: ParsedFlags['values']): void {
  if (number(values, 'sctp-port', -1) !== -1) {
    throw new Error('failed to create listener for SCTP: protocol not supported');
  }
  if (values.has('tls-cert-file')) throw new Error('the built-in netexec serves no TLS');
}

interface UdpOptions {
  readonly context: BuiltinContext;
  readonly program: BuiltinProgram;
  readonly values: ParsedFlags['values'];
  readonly log: (message: string) => void;
}

function startUdp({ context, program, values, log }: UdpOptions): void {
  const port = number(values, 'udp-port', 8081);
  if (port === -1) return;
  for (const host of new Set(String(values.get('udp-listen-addresses') ?? '').split(','))) {
    const address = host === '' ? { port } : { host, port };
    program.hold(serveUdp(context.netns, address, (datagram) => answerUdp(context.hostname, datagram, log)));
    log(`Started UDP server on port ${host} ${port}`);
  }
}

function answerUdp(hostname: string, { data, from, reply }: Datagram, log: (message: string) => void): void {
  const text = data.toString('utf8').trim().toLowerCase();
  const sender = remoteAddress({ remoteAddress: from.address, remotePort: from.port });
  if (text === 'hostname') reply(hostname);
  else if (text.startsWith('echo ')) reply(text.slice('echo '.length));
  else if (text === 'clientip') reply(sender);
  else if (text !== '') log(`Unknown UDP command received from ${sender}: ${text}`);
}
