import type { BuiltinImage } from '../builtin-image.ts';
import { runWebServer } from './web-server.ts';

/** A web server on port 80 that greets as nginx does and names the pod. */
export const nginx: BuiltinImage = {
  names: ['nginx', 'nginx-slim', 'nginx-unprivileged'],
  summary:
    'Web server on port 80 (8080 for nginx-unprivileged): its welcome page names the pod; serves a volume at /usr/share/nginx/html.',
  programs: ['nginx', 'docker-entrypoint.sh'],
  entrypoint: 'args',
  start: (context) =>
    runWebServer(context, {
      server: 'nginx',
      root: '/usr/share/nginx/html',
      port: isUnprivileged(context.pod, context.container) ? 8080 : 80,
      welcome: ({ hostname, podIPs }) => `<!DOCTYPE html>
<html>
<head><title>Welcome to nginx!</title></head>
<body>
<h1>Welcome to nginx!</h1>
<p>This page comes from pod ${hostname} at ${podIPs.join(', ')}, served by towtank's built-in nginx.</p>
</body>
</html>
`,
      notFound:
        '<html>\n<head><title>404 Not Found</title></head>\n<body>\n<center><h1>404 Not Found</h1></center>\n<hr><center>nginx</center>\n</body>\n</html>\n',
    }),
};

function isUnprivileged(pod: Parameters<BuiltinImage['start']>[0]['pod'], container: string): boolean {
  const image = pod.spec?.containers.find(({ name }) => name === container)?.image ?? '';
  return image.includes('nginx-unprivileged');
}
