/** What rewriting has to know of a proxied request. */
export interface RewriteFacts {
  /** Path of the proxy subresource, without a slash at its end. */
  readonly prefix: string;
  /** `10.244.1.2:80`. */
  readonly targetHost: string;
  /** The Host header that the client sent. */
  readonly clientHost: string;
}

/** A URL of an answer so that it leads back through the proxy: those of the target's own paths, no others. */
export function rewriteUrl(url: string, { prefix, targetHost, clientHost }: RewriteFacts): string {
  const match = /^(?:([A-Za-z][A-Za-z0-9+.-]*:)?\/\/([^/?#]*))?(\/[^?#]*)?([\s\S]*)$/.exec(url);
  const [, scheme = '', host = '', path = '', tail = ''] = match ?? [];
  if (scheme === '' && host === '' && path === '') return url;
  if (host !== '' && host !== targetHost && host !== clientHost) return url;
  const origin = host === clientHost && host !== '' ? `${scheme}//${host}` : '';
  if (path.startsWith(prefix)) return `${origin}${path}${tail}`;
  return `${origin}${prefix}${path === '' ? '/' : path}${tail}`;
}
