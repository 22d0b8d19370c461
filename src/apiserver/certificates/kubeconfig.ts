/** How a user proves who they are. */
export type KubeconfigCredential =
  | { readonly type: 'certificate'; readonly cert: string; readonly key: string }
  | { readonly type: 'token'; readonly token: string };

export interface KubeconfigOptions {
  /** Name of cluster and context. */
  readonly name: string;
  readonly user: string;
  /** `https://127.0.0.1:6443`. */
  readonly server: string;
  /** PEM of the authority that signed the server; undefined for plain HTTP. */
  readonly ca?: string | undefined;
  readonly credential?: KubeconfigCredential | undefined;
  readonly namespace?: string | undefined;
}

const base64 = (text: string): string => Buffer.from(text).toString('base64');

/** A kubeconfig with one cluster, user and context. */
export function buildKubeconfig(options: KubeconfigOptions): string {
  const { name, user, server, ca, credential, namespace } = options;
  const lines = [
    'apiVersion: v1',
    'kind: Config',
    `current-context: ${JSON.stringify(name)}`,
    'preferences: {}',
    'clusters:',
    `- name: ${JSON.stringify(name)}`,
    '  cluster:',
    `    server: ${JSON.stringify(server)}`,
    ...(ca === undefined ? [] : [`    certificate-authority-data: ${base64(ca)}`]),
    'contexts:',
    `- name: ${JSON.stringify(name)}`,
    '  context:',
    `    cluster: ${JSON.stringify(name)}`,
    `    user: ${JSON.stringify(user)}`,
    ...(namespace === undefined ? [] : [`    namespace: ${JSON.stringify(namespace)}`]),
    'users:',
    `- name: ${JSON.stringify(user)}`,
    ...userLines(credential),
  ];
  return `${lines.join('\n')}\n`;
}

function userLines(credential: KubeconfigCredential | undefined): string[] {
  if (credential === undefined) return ['  user: {}'];
  if (credential.type === 'token') return ['  user:', `    token: ${JSON.stringify(credential.token)}`];
  return [
    '  user:',
    `    client-certificate-data: ${base64(credential.cert)}`,
    `    client-key-data: ${base64(credential.key)}`,
  ];
}
