import { configError } from '../corefile/config-error.ts';
import { readChoice, readInteger } from '../corefile/read-options.ts';
import type { Token } from '../corefile/tokens.ts';
import type { DnsRequest } from '../server/dns-request.ts';
import { type Edns, type EdnsOption, EdnsOptionCode } from '../wire/edns.ts';
import { parseIp } from '../wire/ip.ts';
import type { RewriteRule } from './rewrite-rule.ts';

type Action = 'append' | 'replace' | 'set' | 'unset';
type DataOf = (request: DnsRequest, own: { readonly address: string; readonly port: number }) => Uint8Array;

const NEW_OPT: Edns = { udpSize: 4096, version: 0, flags: 0, extendedRcode: 0, options: [] };

/**
 * `edns0 local|nsid|subnet ACTION ...`: options of the query as the plugins behind and upstreams see it. The client's
 * reply is not touched, so `revert` changes nothing.
 */
export function readEdnsRule(
  at: Token,
  words: readonly Token[],
  { mode, own }: { mode: RewriteRule['mode']; own: () => { address: string; port: number } },
): RewriteRule {
  const [typeToken, actionToken, ...all] = words;
  if (typeToken === undefined || actionToken === undefined)
    throw configError(at, 'too few arguments for an EDNS0 rule');
  const lower = (token: Token): Token => ({ ...token, text: token.text.toLowerCase() });
  const type = readChoice(lower(typeToken), ['local', 'nsid', 'subnet']);
  const action = readChoice<Action>(lower(actionToken), ['append', 'replace', 'set', 'unset']);
  const args = all.at(-1)?.text === 'revert' ? all.slice(0, -1) : all;
  const { code, data } = { local: readLocal, nsid: readNsid, subnet: readSubnet }[type](at, args, action);
  return {
    mode,
    rewrite: (request) => {
      const edns = request.message.edns ?? NEW_OPT;
      const options = change(edns.options, { action, code, data: () => data(request, own()) });
      if (options === undefined) return undefined;
      return { request: { ...request, message: { ...request.message, edns: { ...edns, options } } }, replyRules: [] };
    },
  };
}

function change(
  options: readonly EdnsOption[],
  { action, code, data }: { action: Action; code: number; data: () => Uint8Array },
): readonly EdnsOption[] | undefined {
  if (action === 'unset') return options.filter((option) => option.code !== code);
  const known = options.some((option) => option.code === code);
  if (known && (action === 'replace' || action === 'set')) {
    return options.map((option) => (option.code === code ? { code, data: data() } : option));
  }
  return action === 'replace' || known ? undefined : [...options, { code, data: data() }];
}

function readNsid(at: Token, args: readonly Token[]): { code: number; data: DataOf } {
  if (args.length > 0) throw configError(at, 'EDNS0 NSID rules can accept no more than one arg');
  return { code: EdnsOptionCode.NSID, data: () => new Uint8Array(0) };
}

function readLocal(at: Token, args: readonly Token[], action: Action): { code: number; data: DataOf } {
  const [codeToken, dataToken] = args;
  if (args.length !== (action === 'unset' ? 1 : 2))
    throw configError(at, 'wrong number of arguments for an EDNS0 local rule');
  const hex = /^0x([0-9a-fA-F]{1,4})$/.exec(codeToken!.text)?.[1];
  const code = hex === undefined ? readInteger(codeToken!, 0, 0xffff) : Number.parseInt(hex, 16);
  return { code, data: dataToken === undefined ? () => new Uint8Array(0) : readData(dataToken) };
}

const variables: Readonly<Record<string, DataOf>> = {
  '{qname}': ({ question }) => Buffer.from(question.name),
  '{qtype}': ({ question }) => uint16(question.type),
  '{client_ip}': ({ client }) => parseIp(client.address) ?? new Uint8Array(0),
  '{client_port}': ({ client }) => uint16(client.port),
  '{protocol}': ({ client }) => Buffer.from(client.transport),
  '{server_ip}': (_request, own) => parseIp(own.address) ?? new Uint8Array(0),
  '{server_port}': (_request, own) => uint16(own.port),
};

function readData(token: Token): DataOf {
  const { text } = token;
  if (text.startsWith('{') && text.endsWith('}')) {
    const variable = variables[text];
    if (variable === undefined) throw configError(token, `unsupported variable name "${text}"`);
    return variable;
  }
  const hex = /^0x((?:[0-9a-fA-F]{2})*)$/.exec(text)?.[1];
  const data = hex === undefined ? Buffer.from(text) : Buffer.from(hex, 'hex');
  return () => data;
}

function readSubnet(at: Token, args: readonly Token[], action: Action): { code: number; data: DataOf } {
  if (action === 'unset' ? args.length !== 0 : args.length !== 2) {
    throw configError(at, 'EDNS0 subnet rules require three or four args');
  }
  const v4 = action === 'unset' ? 0 : readInteger(args[0]!, 0, 32);
  const v6 = action === 'unset' ? 0 : readInteger(args[1]!, 0, 128);
  return {
    code: EdnsOptionCode.ECS,
    data: ({ client }) => {
      const address = parseIp(client.address) ?? new Uint8Array(4);
      const bits = address.length === 4 ? v4 : v6;
      const kept = address.slice(0, Math.ceil(bits / 8));
      if (bits % 8 !== 0) kept[kept.length - 1]! &= 0xff << (8 - (bits % 8));
      return Uint8Array.from([0, address.length === 4 ? 1 : 2, bits, 0, ...kept]);
    },
  };
}

function uint16(value: number): Uint8Array {
  return Uint8Array.of(value >> 8, value & 0xff);
}
