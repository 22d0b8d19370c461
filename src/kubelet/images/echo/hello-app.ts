import type { BuiltinImage } from '../builtin-image.ts';
import { BuiltinProgram } from '../serving/builtin-program.ts';
import { klogLine } from '../serving/klog.ts';
import { serveHttp } from '../serving/serve-http.ts';

/** google-samples/hello-app: greets with its version (the image's tag) and hostname on port 8080. */
export const helloApp: BuiltinImage = {
  names: ['hello-app'],
  summary: 'Greets on port 8080 (PORT) with its version (2.0.0 for tag 2.0) and hostname.',
  programs: ['hello-app'],
  entrypoint: 'own',
  start(context) {
    const image = context.pod.spec?.containers.find(({ name }) => name === context.container)?.image ?? '';
    const version = image.endsWith(':2.0') ? '2.0.0' : '1.0.0';
    const port = Number(context.env['PORT'] ?? 8080);
    const program = new BuiltinProgram();
    program.hold(
      serveHttp(context, { port }, ({ path }, response) => {
        context.log(klogLine(context.now(), `Serving request: ${path}`));
        response.end(`Hello, world!\nVersion: ${version}\nHostname: ${context.hostname}\n`);
      }),
    );
    context.log(klogLine(context.now(), `Server listening on port ${port}`));
    return program;
  },
};
