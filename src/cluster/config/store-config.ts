import type { FieldReader } from './field-reader.ts';

export const STORE_ENGINES = ['memory', 'sqlite', 'etcd'] as const;
export type StoreEngine = (typeof STORE_ENGINES)[number];

/** An etcd as the user describes it; files are absolute paths. */
export interface EtcdConfig {
  readonly engine: 'etcd';
  /** `http://HOST:PORT` or `https://HOST:PORT`. */
  readonly endpoints: readonly string[];
  /** Stands before all keys; empty for Kubernetes' own. */
  readonly prefix: string;
  readonly caFile?: string | undefined;
  readonly certFile?: string | undefined;
  readonly keyFile?: string | undefined;
  readonly username?: string | undefined;
  readonly passwordFile?: string | undefined;
}

/** Where a cluster keeps its objects. */
export type StoreConfig = { readonly engine: 'memory' } | { readonly engine: 'sqlite' } | EtcdConfig;

const FIELDS = ['engine', 'endpoints', 'prefix', 'caFile', 'certFile', 'keyFile', 'username', 'passwordFile'] as const;

/** Reads `spec.store`; undefined when neither the file nor the flag `engine` says anything. Throws ERR_INVALID_CONFIG. */
export function readStoreConfig(field: FieldReader, flag?: StoreEngine): StoreConfig | undefined {
  const fields = field.fields(FIELDS);
  const said = fields.engine.absent ? undefined : fields.engine.oneOf(STORE_ENGINES, 'sqlite');
  const engine = flag ?? said;
  if (engine === 'etcd') return readEtcd(fields);
  // A flag may lead away from the etcd of a file.
  const other = said === 'etcd' ? undefined : FIELDS.slice(1).find((name) => !fields[name].absent);
  if (other !== undefined) throw fields[other].fail('belongs to engine etcd');
  return engine === undefined ? undefined : { engine };
}

function readEtcd(fields: Readonly<Record<(typeof FIELDS)[number], FieldReader>>): EtcdConfig {
  const { caFile, certFile, keyFile, username, passwordFile } = fields;
  if (fields.endpoints.absent)
    throw fields.endpoints.fail('must list the URLs of etcd, such as [http://127.0.0.1:2379]');
  const endpoints = fields.endpoints.items().map((item) => item.string('', checkEndpoint));
  if (endpoints.length === 0) throw fields.endpoints.fail('must list at least one URL');
  if (certFile.absent !== keyFile.absent)
    throw (certFile.absent ? certFile : keyFile).fail('certFile and keyFile go together');
  if (username.absent !== passwordFile.absent)
    throw (username.absent ? username : passwordFile).fail('username and passwordFile go together');
  const path = (file: FieldReader): string | undefined => (file.absent ? undefined : file.string('', checkPath));
  return {
    engine: 'etcd',
    endpoints,
    prefix: fields.prefix.string('', checkPrefix),
    caFile: path(caFile),
    certFile: path(certFile),
    keyFile: path(keyFile),
    username: username.absent ? undefined : username.string(''),
    passwordFile: path(passwordFile),
  };
}

function checkEndpoint(text: string): string | undefined {
  const url = URL.parse(text);
  const isPlain = url !== null && url.pathname === '/' && url.search === '' && url.username === '';
  return isPlain && ['http:', 'https:'].includes(url.protocol)
    ? undefined
    : 'must be http://HOST:PORT or https://HOST:PORT';
}

function checkPrefix(text: string): string | undefined {
  return /^(\/[\w.-]+)*$/.test(text) ? undefined : 'must be a path such as /towtank, without a slash at the end';
}

function checkPath(text: string): string | undefined {
  return text.startsWith('/') ? undefined : 'must be an absolute path';
}
