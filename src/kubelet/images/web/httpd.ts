import type { BuiltinImage } from '../builtin-image.ts';
import { runWebServer } from './web-server.ts';

/** A web server on port 80 that says "It works!" as Apache does and names the pod. */
export const httpd: BuiltinImage = {
  names: ['httpd'],
  summary: 'Web server on port 80: "It works!" with the name of the pod; serves a volume at /usr/local/apache2/htdocs.',
  programs: ['httpd', 'httpd-foreground', 'apache2ctl'],
  entrypoint: 'args',
  start: (context) =>
    runWebServer(context, {
      server: 'Apache',
      root: '/usr/local/apache2/htdocs',
      port: 80,
      welcome: ({ hostname }) => `<html><body><h1>It works!</h1><p>${hostname}</p></body></html>\n`,
      notFound: '<html><head><title>404 Not Found</title></head><body><h1>Not Found</h1></body></html>\n',
    }),
};
