import { readFileSync } from 'node:fs';
import { dirname, isAbsolute, join } from 'node:path';
import { parse } from 'yaml';
import { UserError } from '../../errors/towtank-error.ts';
import { checkShape, isRecord, type Shape, withoutNulls } from '../../kube/object-shape.ts';
import type { ApiConnection, ApiCredential, CredentialPlugin, TextSource } from './api-connection.ts';

interface Cluster {
  readonly server?: string;
  readonly 'certificate-authority'?: string;
  readonly 'certificate-authority-data'?: string;
  readonly 'insecure-skip-tls-verify'?: boolean;
  readonly 'tls-server-name'?: string;
  readonly 'proxy-url'?: string;
}

interface User {
  readonly 'client-certificate'?: string;
  readonly 'client-certificate-data'?: string;
  readonly 'client-key'?: string;
  readonly 'client-key-data'?: string;
  readonly token?: string;
  readonly tokenFile?: string;
  readonly username?: string;
  readonly password?: string;
  readonly as?: string;
  readonly 'as-uid'?: string;
  readonly 'as-groups'?: readonly string[];
  readonly 'auth-provider'?: object;
  readonly exec?: {
    readonly apiVersion?: string;
    readonly command?: string;
    readonly args?: readonly string[];
    readonly env?: readonly { readonly name?: string; readonly value?: string }[];
    readonly installHint?: string;
    readonly provideClusterInfo?: boolean;
  };
}

interface Kubeconfig {
  readonly 'current-context'?: string;
  readonly clusters?: readonly { readonly name?: string; readonly cluster?: Cluster }[];
  readonly users?: readonly { readonly name?: string; readonly user?: User }[];
  readonly contexts?: readonly {
    readonly name?: string;
    readonly context?: { readonly cluster?: string; readonly user?: string; readonly namespace?: string };
  }[];
}

const SHAPE: Shape = {
  'current-context': 'text',
  clusters: [
    {
      name: 'text',
      cluster: {
        server: 'text',
        'certificate-authority': 'text',
        'certificate-authority-data': 'text',
        'insecure-skip-tls-verify': 'flag',
        'tls-server-name': 'text',
        'proxy-url': 'text',
      },
    },
  ],
  users: [
    {
      name: 'text',
      user: {
        'client-certificate': 'text',
        'client-certificate-data': 'text',
        'client-key': 'text',
        'client-key-data': 'text',
        token: 'text',
        tokenFile: 'text',
        username: 'text',
        password: 'text',
        as: 'text',
        'as-uid': 'text',
        'as-groups': ['text'],
        'auth-provider': {},
        exec: {
          apiVersion: 'text',
          command: 'text',
          args: ['text'],
          env: [{ name: 'text', value: 'text' }],
          installHint: 'text',
          provideClusterInfo: 'flag',
        },
      },
    },
  ],
  contexts: [{ name: 'text', context: { cluster: 'text', user: 'text', namespace: 'text' } }],
};

/** Reads a kubeconfig file; `context` defaults to its current-context. Throws UserError ERR_INVALID_CONFIG. */
export function readKubeconfig(file: string, context?: string): ApiConnection {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (cause) {
    throw invalid(`cannot read ${file}: ${(cause as Error).message}`, 'is the path right?', cause);
  }
  return parseKubeconfig(text, { file, context });
}

/** Reads the text of a kubeconfig. `file` is how errors name it, and relative paths in it begin at its folder. */
export function parseKubeconfig(
  text: string,
  { file, context }: { readonly file: string; readonly context?: string | undefined },
): ApiConnection {
  const config = checked(text, file);
  const contextName = context ?? config['current-context'] ?? '';
  const chosen = find(config.contexts, contextName, `${file}: context`)?.context ?? {};
  const cluster = find(config.clusters, chosen.cluster ?? '', `${file}: cluster`).cluster ?? {};
  const user = chosen.user ? (find(config.users, chosen.user, `${file}: user`).user ?? {}) : {};
  checkSupported(file, cluster, user);
  const at = (path: string): string => (isAbsolute(path) ? path : join(dirname(file), path));
  return {
    server: serverOf(cluster, file),
    ca: source(cluster['certificate-authority-data'], cluster['certificate-authority'], at),
    insecureSkipTlsVerify: cluster['insecure-skip-tls-verify'] ?? false,
    tlsServerName: cluster['tls-server-name'] || undefined,
    namespace: chosen.namespace || 'default',
    credential: credentialOf(user, file, at),
  };
}

function checked(text: string, file: string): Kubeconfig {
  let value: unknown;
  try {
    value = parse(text);
  } catch (cause) {
    throw invalid(`${file}: ${(cause as Error).message.split('\n', 1)[0]}`, 'a kubeconfig is YAML or JSON', cause);
  }
  const problem = isRecord(value) ? checkShape(value, SHAPE, '') : 'is no kubeconfig';
  if (problem !== undefined) throw invalid(`${file}: ${problem}`, 'see `kubectl config view`');
  return withoutNulls(value) as Kubeconfig;
}

function find<T extends { readonly name?: string }>(entries: readonly T[] = [], name: string, what: string): T {
  const entry = entries.find((candidate) => candidate.name === name);
  if (entry !== undefined) return entry;
  const names = entries.map((candidate) => candidate.name).join(', ') || 'none';
  throw invalid(`${what} ${JSON.stringify(name)} does not exist`, `the file has: ${names}`);
}

function checkSupported(file: string, cluster: Cluster, user: User): void {
  if (cluster['proxy-url'])
    throw invalid(`${file}: proxy-url is not supported`, 'name a server that can be reached directly');
  if (user['auth-provider'])
    throw invalid(`${file}: auth-provider was removed from Kubernetes`, 'use an exec credential plugin');
}

function serverOf({ server = '' }: Cluster, file: string): string {
  if (URL.canParse(server) && /^https?:$/.test(new URL(server).protocol)) return server.replace(/\/+$/, '');
  throw invalid(`${file}: server ${JSON.stringify(server)} is no URL`, 'write https://ADDRESS:PORT');
}

const decode = (base64: string): string => Buffer.from(base64, 'base64').toString();

// As in client-go, the data in the file wins over a path.
function source(
  data: string | undefined,
  path: string | undefined,
  at: (path: string) => string,
): TextSource | undefined {
  if (data) return { text: decode(data) };
  return path ? { file: at(path) } : undefined;
}

function credentialOf(user: User, file: string, at: (path: string) => string): ApiCredential {
  const cert = source(user['client-certificate-data'], user['client-certificate'], at);
  const key = source(user['client-key-data'], user['client-key'], at);
  if ((cert === undefined) !== (key === undefined))
    throw invalid(`${file}: a client certificate needs its key and a key its certificate`, 'give both or none');
  const tokens: TextSource[] = [];
  if (user.tokenFile) tokens.push({ file: at(user.tokenFile) });
  if (user.token) tokens.push({ text: user.token });
  return {
    certificate: cert && key && { cert, key },
    tokens,
    basic: user.username ? { username: user.username, password: user.password ?? '' } : undefined,
    plugin: user.exec && pluginOf(user.exec, file, at),
    headers: impersonation(user),
  };
}

function impersonation({
  as,
  'as-uid': uid,
  'as-groups': groups = [],
}: User): Record<string, string | readonly string[]> {
  return {
    ...(as ? { 'impersonate-user': as } : {}),
    ...(uid ? { 'impersonate-uid': uid } : {}),
    ...(groups.length > 0 ? { 'impersonate-group': groups } : {}),
  };
}

const PLUGIN_VERSIONS = ['client.authentication.k8s.io/v1', 'client.authentication.k8s.io/v1beta1'];

function pluginOf(
  {
    apiVersion = '',
    command = '',
    args = [],
    env = [],
    installHint = '',
    provideClusterInfo = false,
  }: NonNullable<User['exec']>,
  file: string,
  at: (path: string) => string,
): CredentialPlugin {
  if (!PLUGIN_VERSIONS.includes(apiVersion))
    throw invalid(`${file}: exec.apiVersion ${JSON.stringify(apiVersion)}`, `use ${PLUGIN_VERSIONS.join(' or ')}`);
  if (command === '') throw invalid(`${file}: exec.command is empty`, 'name the program that prints credentials');
  return {
    apiVersion,
    // A bare name is looked up in PATH, a path with folders begins at the kubeconfig's own.
    command: command.includes('/') ? at(command) : command,
    args,
    env: Object.fromEntries(env.map(({ name = '', value = '' }) => [name, value])),
    installHint,
    provideClusterInfo,
  };
}

function invalid(message: string, hint: string, cause?: unknown): UserError {
  return new UserError({ code: 'ERR_INVALID_CONFIG', message, hint, cause });
}
