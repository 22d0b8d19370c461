/** The parts of a URL as rules see them. */
export interface UrlParts {
  readonly scheme: string;
  /** With its port, and brackets around an IPv6 address. */
  readonly host: string;
  readonly hostname: string;
  readonly port: string;
  /** Escaped. */
  readonly path: string;
  readonly query: ReadonlyMap<string, readonly string[]>;
}

const CONTROL = /[\0-\x1f\x7f]/;
const BAD_ESCAPE = /%(?![0-9a-fA-F]{2})/;

/** Parses an absolute URL or a path from the root, as Go does; undefined when the text is neither. */
export function parseUrl(text: string): UrlParts | undefined {
  if (CONTROL.test(text)) return undefined;
  const [, before = '', fragment = ''] = /^([^#]*)(?:#(.*))?$/s.exec(text)!;
  if (BAD_ESCAPE.test(fragment)) return undefined;
  const match = /^(?:([A-Za-z][A-Za-z0-9+.-]*):)?([^?]*)(?:\?(.*))?$/s.exec(before)!;
  const [, scheme = '', rest = '', query = ''] = match;
  if (!rest.startsWith('/'))
    return scheme === '' ? undefined : { ...empty, scheme: scheme.toLowerCase(), query: queryOf(query) };
  const [, authority, path = ''] =
    scheme !== '' && rest.startsWith('//') ? /^\/\/([^/]*)(.*)$/s.exec(rest)! : [rest, '', rest];
  const host = hostOf(authority ?? '');
  if (!host || BAD_ESCAPE.test(path)) return undefined;
  return { scheme: scheme.toLowerCase(), ...host, path: escapePath(path), query: queryOf(query) };
}

const empty = { scheme: '', host: '', hostname: '', port: '', path: '' };

function hostOf(authority: string): Pick<UrlParts, 'host' | 'hostname' | 'port'> | undefined {
  const at = authority.lastIndexOf('@');
  if (at !== -1 && /[^A-Za-z0-9\-._:~!$&'()*+,;=%@]/.test(authority.slice(0, at))) return undefined;
  const host = authority.slice(at + 1);
  const match = /^(?:\[([^\]]*)\]|([^:[\]]*))(?::([0-9]*))?$/.exec(host);
  if (!match || /[\s<>"\\^`{|}]/.test(host)) return undefined;
  const [, address, name = '', port = ''] = match;
  if (BAD_ESCAPE.test(name)) return undefined;
  return { host, hostname: address ?? name, port };
}

// Already escaped paths stay as they are.
function escapePath(path: string): string {
  if (/^[A-Za-z0-9\-._~!$&'()*+,;=:@%/[\]]*$/.test(path)) return path;
  return Buffer.from(unescapeBytes(path))
    .toString('latin1')
    .replace(
      /[^A-Za-z0-9\-._~$&+,/:;=@]/g,
      (char) => `%${char.charCodeAt(0).toString(16).toUpperCase().padStart(2, '0')}`,
    );
}

function unescapeBytes(text: string): Buffer {
  const parts = text.split(/(%[0-9a-fA-F]{2})/);
  return Buffer.concat(
    parts.map((part) => (part.startsWith('%') ? Buffer.from(part.slice(1), 'hex') : Buffer.from(part))),
  );
}

function queryOf(text: string): ReadonlyMap<string, readonly string[]> {
  const query = new Map<string, string[]>();
  for (const pair of text.split('&')) {
    if (pair === '' || pair.includes(';') || BAD_ESCAPE.test(pair)) continue;
    const [, key = '', value = ''] = /^([^=]*)=?(.*)$/s.exec(pair)!;
    const name = decode(key);
    query.set(name, [...(query.get(name) ?? []), decode(value)]);
  }
  return query;
}

const decode = (text: string): string => unescapeBytes(text.replaceAll('+', ' ')).toString();
