import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { UserError } from '../../errors/towtank-error.ts';
import type { ApiConnection } from './api-connection.ts';

const FOLDER = '/var/run/secrets/kubernetes.io/serviceaccount';

/** The connection that every pod has: KUBERNETES_SERVICE_HOST and the token of its ServiceAccount. Throws UserError outside of pods. */
export function inClusterConnection(env: NodeJS.ProcessEnv, folder = FOLDER): ApiConnection {
  const host = env['KUBERNETES_SERVICE_HOST'];
  const port = env['KUBERNETES_SERVICE_PORT'];
  const token = join(folder, 'token');
  if (!host || !port || !existsSync(token)) {
    throw new UserError({
      code: 'ERR_INVALID_CONFIG',
      message: 'no kubeconfig is given, and this is no pod of a cluster',
      hint: 'give --kubeconfig FILE',
    });
  }
  const namespace = join(folder, 'namespace');
  return {
    server: `https://${host.includes(':') ? `[${host}]` : host}:${port}`,
    ca: { file: join(folder, 'ca.crt') },
    insecureSkipTlsVerify: false,
    tlsServerName: undefined,
    namespace: existsSync(namespace) ? readFileSync(namespace, 'utf8').trim() : 'default',
    credential: { tokens: [{ file: token }], headers: {} },
  };
}
