const PROXY_PATH = /^\/api\/[^/]+\/(?:namespaces\/[^/]+\/(?:pods|services)|nodes)\/[^/]+\/proxy(?=\/|$)/;

/** A path below a proxy subresource. */
export interface ProxyPath {
  /** `/api/v1/namespaces/x/services/y/proxy`. */
  readonly prefix: string;
  /** What the target is asked for, as the client encoded it; '' without a slash. */
  readonly rest: string;
}

/** Splits a path where the proxy begins; undefined for every other path. */
export function splitProxyPath(path: string): ProxyPath | undefined {
  const prefix = PROXY_PATH.exec(path)?.[0];
  return prefix === undefined ? undefined : { prefix, rest: path.slice(prefix.length) };
}

/** Whether a URL, with its query, is below a proxy subresource: its body goes on to the target as it comes. */
export function isProxied(url: string): boolean {
  return url.includes('/proxy') && splitProxyPath(url.split('?', 1)[0]!) !== undefined;
}
