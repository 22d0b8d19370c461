import type { BuiltinContext, BuiltinProcess } from '../builtin-image.ts';
import { BuiltinProgram, goSignalExit } from '../serving/builtin-program.ts';
import { klogLine } from '../serving/klog.ts';
import { remoteAddress, serveTcp, serveUdp } from '../serving/listen.ts';
import { parseFlags } from '../serving/parse-flags.ts';
import { serveHttp } from '../serving/serve-http.ts';

const FLAGS = { tcp: 'bool', udp: 'bool', http: 'bool', close: 'bool', port: 'int' } as const;
const LINGER_MS = 60_000;

/** `agnhost serve-hostname`: the pod's hostname over HTTP, raw TCP or UDP on port 9376. */
export function serveHostname(context: BuiltinContext, args: readonly string[]): BuiltinProcess {
  const { values } = parseFlags(args, FLAGS);
  const isHttp = values.get('http') ?? true;
  if (isHttp && (values.get('tcp') || values.get('udp'))) {
    throw new Error("Can't server TCP/UDP mode and HTTP mode at the same time");
  }
  const log = (message: string): void => context.log(klogLine(context.now(), message));
  const port = (values.get('port') as number | undefined) ?? 9376;
  const program = new BuiltinProgram((signal) => {
    if (signal !== 'SIGTERM') return program.exit(goSignalExit);
    log('Shutting down after receiving signal: terminated.');
    log('Awaiting pod deletion.');
    program.after(LINGER_MS, context, () => program.exit(0));
  });
  if (values.get('tcp')) {
    const answer = (socket: { end(text: string): void }): void => socket.end(context.hostname);
    program.hold(
      serveTcp(context.netns, { port }, (socket) => {
        log(`TCP request from ${remoteAddress(socket)}`);
        answer(socket);
      }),
    );
  }
  if (values.get('udp')) {
    program.hold(
      serveUdp(context.netns, { port }, ({ from, reply }) => {
        log(`UDP request from ${remoteAddress({ remoteAddress: from.address, remotePort: from.port })}`);
        reply(context.hostname);
      }),
    );
  }
  if (isHttp) {
    const headers: Record<string, string> = values.get('close') ? { connection: 'close' } : {};
    program.hold(
      serveHttp(context, { port }, ({ message }, response) => {
        log(`HTTP request from ${remoteAddress(message.socket)}`);
        response.writeHead(200, headers).end(context.hostname);
      }),
    );
  }
  log(`Serving on port ${port}.`);
  return program;
}
