import { lookup } from 'node:dns/promises';
import { readFileSync } from 'node:fs';
import { isIP } from 'node:net';
import { UserError } from '../errors/towtank-error.ts';
import type { HostSocket } from '../kernel/host-sockets.ts';
import type { EtcdConfig, StoreConfig } from './config/store-config.ts';

/** An etcd with all that is needed to speak to it: names looked up, files read. */
export interface EtcdSpec {
  readonly engine: 'etcd';
  readonly endpoints: readonly string[];
  readonly prefix: string;
  /** Addresses of each host of the endpoints. */
  readonly addresses: Readonly<Record<string, readonly string[]>>;
  readonly tls: {
    readonly ca?: string | undefined;
    readonly cert?: string | undefined;
    readonly key?: string | undefined;
  };
  readonly user?: { readonly name: string; readonly password: string } | undefined;
  /** Sockets of the host's network, for a supervisor that has its own; empty where this process is in the host's. */
  readonly sockets: readonly HostSocket[];
}

/** The store of a cluster, ready to be opened wherever it is read. */
export type StoreSpec = { readonly engine: 'memory' } | { readonly engine: 'sqlite'; readonly path: string } | EtcdSpec;

/** Looks names up and reads files. Throws ERR_INVALID_CONFIG that names the field. */
export async function resolveStore(config: StoreConfig, sqlitePath: string): Promise<StoreSpec> {
  if (config.engine === 'memory') return { engine: 'memory' };
  if (config.engine === 'sqlite') return { engine: 'sqlite', path: sqlitePath };
  const { endpoints, prefix, username } = config;
  const hosts = endpoints.map((endpoint) => new URL(endpoint).hostname.replace(/^\[|\]$/g, ''));
  const addresses = await Promise.all(hosts.map(async (host) => [host, await addressesOf(host)] as const));
  const password = read(config, 'passwordFile')?.trimEnd();
  return {
    engine: 'etcd',
    endpoints,
    prefix,
    addresses: Object.fromEntries(addresses),
    tls: { ca: read(config, 'caFile'), cert: read(config, 'certFile'), key: read(config, 'keyFile') },
    user: username === undefined || password === undefined ? undefined : { name: username, password },
    sockets: [],
  };
}

/** Families of the addresses, to know which sockets are needed. */
export function familiesOf({ addresses }: EtcdSpec): ReadonlySet<HostSocket['family']> {
  return new Set(
    Object.values(addresses)
      .flat()
      .map((address) => (address.includes(':') ? 'ipv6' : 'ipv4')),
  );
}

async function addressesOf(host: string): Promise<readonly string[]> {
  if (isIP(host)) return [host];
  try {
    return (await lookup(host, { all: true })).map(({ address }) => address);
  } catch (cause) {
    throw invalid('endpoints', `the host ${host} is not known: ${(cause as Error).message}`, cause);
  }
}

function read(config: EtcdConfig, field: 'caFile' | 'certFile' | 'keyFile' | 'passwordFile'): string | undefined {
  const path = config[field];
  if (path === undefined) return undefined;
  try {
    return readFileSync(path, 'utf8');
  } catch (cause) {
    throw invalid(field, `cannot read ${path}: ${(cause as Error).message}`, cause);
  }
}

function invalid(field: string, message: string, cause: unknown): UserError {
  return new UserError({
    code: 'ERR_INVALID_CONFIG',
    message: `spec.store.${field}: ${message}`,
    hint: 'see docs/reference/store.md',
    cause,
  });
}
