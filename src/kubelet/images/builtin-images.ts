import { agnhost } from './agnhost/agnhost.ts';
import type { BuiltinImage } from './builtin-image.ts';
import { echoServer } from './echo/echo-server.ts';
import { echoserver } from './echo/echoserver.ts';
import { helloApp } from './echo/hello-app.ts';
import { httpEcho } from './echo/http-echo.ts';
import { whoami } from './echo/whoami.ts';
import { pause } from './pause.ts';
import { shells } from './shells.ts';
import { httpd } from './web/httpd.ts';
import { nginx } from './web/nginx.ts';

/** Every image that the kubelet brings itself. */
export const builtinImages: readonly BuiltinImage[] = [
  agnhost,
  nginx,
  httpd,
  httpEcho,
  whoami,
  echoServer,
  echoserver,
  helloApp,
  pause,
  shells,
];
