import { type IPAddress, parseAddress, printAddress } from '../../../../ipam/address.ts';
import { type CIDR, contains, parseOptionalCIDR } from '../../../../ipam/cidr.ts';
import { goQuote } from '../../go-text.ts';
import type { FunctionTable } from '../function-table.ts';
import { type CelObject, EntryMap, EvaluationError, ListValue, type Value } from '../values.ts';
import { parseUrl, type UrlParts } from './url-parts.ts';

/** An IP address. */
class IpValue implements CelObject {
  readonly typeName = 'net.IP';
  readonly address: IPAddress;

  constructor(address: IPAddress) {
    this.address = address;
  }

  equals(other: Value): boolean {
    return other instanceof IpValue && printAddress(other.address) === printAddress(this.address);
  }
}

/** A block of addresses, with the address as it was written. */
class CidrValue implements CelObject {
  readonly typeName = 'net.CIDR';
  readonly block: CIDR;

  constructor(block: CIDR) {
    this.block = block;
  }

  equals(other: Value): boolean {
    return other instanceof CidrValue && cidrText(other) === cidrText(this);
  }
}

/** A URL. */
class UrlValue implements CelObject {
  readonly typeName = 'kubernetes.URL';
  readonly text: string;
  readonly parts: UrlParts;

  constructor(text: string, parts: UrlParts) {
    this.text = text;
    this.parts = parts;
  }

  equals(other: Value): boolean {
    return other instanceof UrlValue && other.text === this.text;
  }
}

const IP = 'net.IP';
const NET = 'net.CIDR';
const URL = 'kubernetes.URL';

/** Addresses, blocks of addresses and URLs. */
export const networks: FunctionTable = {
  'ip(string)': (text: string) => new IpValue(address(text)),
  'isIP(string)': (text: string) => plainAddress(text) !== undefined,
  'ip.isCanonical(string)': (text: string) => printAddress(address(text)) === text,
  [`string(${IP})`]: (ip: IpValue) => printAddress(ip.address),
  [`<${IP}>.family()`]: (ip: IpValue) => (ip.address.family === 'IPv4' ? 4n : 6n),
  [`<${IP}>.isUnspecified()`]: (ip: IpValue) => ip.address.value === 0n,
  [`<${IP}>.isLoopback()`]: (ip: IpValue) => isIn(ip, ['127.0.0.0/8', '::1/128']),
  [`<${IP}>.isLinkLocalMulticast()`]: (ip: IpValue) => isIn(ip, ['224.0.0.0/24', 'ff02::/16']),
  [`<${IP}>.isLinkLocalUnicast()`]: (ip: IpValue) => isIn(ip, ['169.254.0.0/16', 'fe80::/10']),
  [`<${IP}>.isGlobalUnicast()`]: (ip: IpValue) => ip.address.value !== 0n && !isIn(ip, notGlobal),
  'cidr(string)': (text: string) => new CidrValue(block(text)),
  'isCIDR(string)': (text: string) => plainBlock(text) !== undefined,
  [`string(${NET})`]: cidrText,
  [`<${NET}>.containsIP(string)`]: (cidr: CidrValue, text: string) => contains(cidr.block, address(text)),
  [`<${NET}>.containsIP(${IP})`]: (cidr: CidrValue, ip: IpValue) => contains(cidr.block, ip.address),
  [`<${NET}>.containsCIDR(string)`]: (cidr: CidrValue, text: string) => holds(cidr.block, block(text)),
  [`<${NET}>.containsCIDR(${NET})`]: (cidr: CidrValue, other: CidrValue) => holds(cidr.block, other.block),
  [`<${NET}>.ip()`]: ({ block: { family, address: value } }: CidrValue) => new IpValue({ family, value }),
  [`<${NET}>.prefixLength()`]: (cidr: CidrValue) => BigInt(cidr.block.prefixLength),
  [`<${NET}>.masked()`]: ({ block: given }: CidrValue) => new CidrValue({ ...given, address: given.first }),
  'url(string)': (text: string) => new UrlValue(text, url(text)),
  'isURL(string)': (text: string) => parseUrl(text) !== undefined,
  [`<${URL}>.getScheme()`]: ({ parts }: UrlValue) => parts.scheme,
  [`<${URL}>.getHost()`]: ({ parts }: UrlValue) => parts.host,
  [`<${URL}>.getHostname()`]: ({ parts }: UrlValue) => parts.hostname,
  [`<${URL}>.getPort()`]: ({ parts }: UrlValue) => parts.port,
  [`<${URL}>.getEscapedPath()`]: ({ parts }: UrlValue) => parts.path,
  [`<${URL}>.getQuery()`]: ({ parts }: UrlValue) =>
    new EntryMap([...parts.query].map(([key, values]) => [key, new ListValue(values)] as const)),
};

const notGlobal = [
  '255.255.255.255/32',
  '127.0.0.0/8',
  '::1/128',
  '224.0.0.0/4',
  'ff00::/8',
  '169.254.0.0/16',
  'fe80::/10',
];
const mapped = parseOptionalCIDR('::ffff:0:0/96')!;
const blocks = new Map<string, CIDR>();

function isIn(ip: IpValue, texts: readonly string[]): boolean {
  return texts.some((text) => {
    const known = blocks.get(text) ?? parseOptionalCIDR(text)!;
    blocks.set(text, known);
    return contains(known, ip.address);
  });
}

const holds = (outer: CIDR, inner: CIDR): boolean =>
  outer.family === inner.family &&
  outer.prefixLength <= inner.prefixLength &&
  outer.first <= inner.first &&
  inner.last <= outer.last;

function cidrText({ block: { family, address: value, prefixLength } }: CidrValue): string {
  return `${printAddress({ family, value })}/${prefixLength}`;
}

// IPv4 addresses in the clothes of IPv6 are refused.
function plainAddress(text: string): IPAddress | undefined {
  const found = parseAddress(text);
  return found && !contains(mapped, found) ? found : undefined;
}

function address(text: string): IPAddress {
  const found = plainAddress(text);
  if (found) return found;
  if (parseAddress(text)) throw new EvaluationError(`IPv4-mapped IPv6 address ${goQuote(text)} is not allowed`);
  throw new EvaluationError(
    `IP Address ${goQuote(text)} parse error during conversion from string: ParseAddr(${goQuote(text)}): unable to parse IP`,
  );
}

function plainBlock(text: string): CIDR | undefined {
  const found = parseOptionalCIDR(text);
  return found && !contains(mapped, { family: found.family, value: found.address }) ? found : undefined;
}

function block(text: string): CIDR {
  const found = plainBlock(text);
  if (found) return found;
  const problem = parseOptionalCIDR(text)
    ? `IPv4-mapped IPv6 address ${goQuote(text)} is not allowed`
    : `network address parse error during conversion from string: netip.ParsePrefix(${goQuote(text)}): invalid prefix`;
  throw new EvaluationError(`network address parse error during conversion from string: ${problem}`);
}

function url(text: string): UrlParts {
  const found = parseUrl(text);
  if (found) return found;
  throw new EvaluationError(
    `URL parse error during conversion from string: parse ${goQuote(text)}: invalid URI for request`,
  );
}
