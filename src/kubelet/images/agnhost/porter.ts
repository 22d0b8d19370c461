import type { BuiltinContext, BuiltinProcess } from '../builtin-image.ts';
import { BuiltinProgram } from '../serving/builtin-program.ts';
import { klogLine } from '../serving/klog.ts';
import { serveUdp } from '../serving/listen.ts';
import { parseFlags } from '../serving/parse-flags.ts';
import { serveHttp } from '../serving/serve-http.ts';

const PORT_VARIABLE = /^SERVE_(?<protocol>|TCP_|UDP_|TLS_|SCTP_)PORT_(?<port>\d+)$/;

/** `agnhost porter`: answers with the value of SERVE_PORT_9001, SERVE_UDP_PORT_9002 and so on, on these ports. */
export function porter(context: BuiltinContext, args: readonly string[]): BuiltinProcess {
  const isJson = parseFlags(args, { 'json-response': 'bool' }).values.get('json-response') === true;
  const program = new BuiltinProgram();
  for (const [name, value] of Object.entries(context.env)) {
    const { protocol, port } = PORT_VARIABLE.exec(name)?.groups ?? {};
    if (port === undefined) continue;
    const address = { host: '0.0.0.0', port: Number(port) };
    if (protocol === 'UDP_') program.hold(serveUdp(context.netns, address, ({ reply }) => reply(value)));
    else if (protocol === 'TLS_' || protocol === 'SCTP_') {
      const message = `server on port "${port}" failed: ${protocol.slice(0, -1)} is not served by the built-in porter`;
      context.log(klogLine(context.now(), message));
    } else {
      program.hold(
        serveHttp(context, address, ({ method }, response) => {
          if (isJson) response.setHeader('content-type', 'application/json');
          response.end(isJson ? JSON.stringify({ Method: method, Body: value }) : value);
        }),
      );
    }
  }
  return program;
}
