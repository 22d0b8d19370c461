import type { BuiltinContext, BuiltinProcess } from '../builtin-image.ts';
import { BuiltinProgram } from '../serving/builtin-program.ts';
import { serveHttp } from '../serving/serve-http.ts';

const HEALTHY_SECONDS = 10;

/** `agnhost liveness`: /healthz on port 8080 is fine for ten seconds and then fails for ever. */
export function liveness(context: BuiltinContext): BuiltinProcess {
  const program = new BuiltinProgram();
  const began = context.now();
  program.hold(
    serveHttp(context, { port: 8080 }, ({ path, query }, response) => {
      const seconds = (context.now() - began) / 1000;
      if (path === '/started') response.end(`${seconds}s`);
      else if (path === '/redirect') response.writeHead(302, { location: query.get('loc') ?? '' }).end();
      else if (path !== '/healthz') response.writeHead(404).end('404 page not found\n');
      else if (seconds > HEALTHY_SECONDS) response.writeHead(500).end(`error: ${seconds}`);
      else response.end('ok');
    }),
  );
  return program;
}
