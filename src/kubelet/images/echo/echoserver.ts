import type { BuiltinImage } from '../builtin-image.ts';
import { BuiltinProgram } from '../serving/builtin-program.ts';
import { plainAddress } from '../serving/listen.ts';
import { headerPairs, readBody, serveHttp } from '../serving/serve-http.ts';

/** registry.k8s.io/echoserver: server, request, headers and body as text on port 8080. */
export const echoserver: BuiltinImage = {
  names: ['echoserver', 'kicbase/echo-server'],
  summary: 'Answers on port 8080 with the pod, the request, its headers and body as text.',
  programs: ['run.sh'],
  entrypoint: 'args',
  start(context) {
    const program = new BuiltinProgram((_signal, self) => self.exit(0));
    program.hold(
      serveHttp(context, { port: Number(context.env['PORT'] ?? 8080) }, async ({ message, method, path }, response) => {
        const body = (await readBody(message)).toString('utf8');
        const headers = headerPairs(message).map(([name, value]) => `\t${name.toLowerCase()}=${value}`);
        response
          .writeHead(200, { 'content-type': 'text/plain' })
          .end(
            [
              `\n\nHostname: ${context.hostname}\n`,
              'Pod Information:',
              `\tnode name:\t${context.pod.spec?.nodeName ?? ''}`,
              `\tpod name:\t${context.pod.metadata?.name ?? ''}`,
              `\tpod namespace:\t${context.pod.metadata?.namespace ?? ''}`,
              `\tpod IP:\t${context.podIPs.join(',')}\n`,
              `Request Information:`,
              `\tclient_address=${plainAddress(message.socket.remoteAddress)}`,
              `\tmethod=${method}`,
              `\treal path=${message.url}`,
              `\tquery=${message.url?.split('?')[1] ?? ''}`,
              `\trequest_version=${message.httpVersion}`,
              `\trequest_uri=http://${message.headers.host ?? ''}:8080${path}\n`,
              'Request Headers:',
              ...headers.sort(),
              `\nRequest Body:\n${body || '\t-no body in request-'}\n`,
            ].join('\n'),
          );
      }),
    );
    return program;
  },
};
