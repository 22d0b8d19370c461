import { configError } from '../corefile/config-error.ts';
import { normalizeAll } from '../corefile/normalize-zone.ts';
import type { Directive } from '../corefile/parse-corefile.ts';
import { readArguments, readOptions } from '../corefile/read-options.ts';
import type { Token } from '../corefile/tokens.ts';
import type { DnsRequest } from '../server/dns-request.ts';
import { bareReply, buildReply, type Reply } from '../server/reply.ts';
import { parseIp } from '../wire/ip.ts';
import { matchZone } from '../wire/name.ts';
import { Rcode } from '../wire/rcode.ts';
import { readSoa } from '../wire/record.ts';
import { RecordType } from '../wire/record-type.ts';
import type { Handler, Plugin, PluginEnvironment } from './plugin.ts';

interface TransferRule {
  readonly zones: readonly string[];
  /** `*` or IP literals. */
  readonly to: readonly string[];
}

/** transfer: sends whole zones over TCP to those allowed. */
export function transferPlugin(directives: readonly Directive[], environment: PluginEnvironment): readonly Plugin[] {
  const rules = directives.map((directive) => readRule(directive, environment.zones));
  return [
    {
      name: 'transfer',
      leavesAlone: () => true,
      handle: (request: DnsRequest, next: Handler): Reply | Promise<Reply> => {
        const { type } = request.question;
        if (type !== RecordType.AXFR && type !== RecordType.IXFR) return next(request);
        if (request.client.transport !== 'tcp') return bareReply('transfer', Rcode.REFUSED);
        return transfer(request, { rules, environment, next });
      },
    },
  ];
}

function readRule(directive: Directive, blockZones: readonly string[]): TransferRule {
  const to: string[] = [];
  readOptions(directive, {
    to: (line) => {
      readArguments(line, 1);
      to.push(...line.args.map(readHost));
    },
  });
  if (to.length === 0) throw configError(directive.name, "'to' is required");
  const words = directive.args.map((token) => token.text);
  return { zones: words.length === 0 ? blockZones : normalizeAll(words), to };
}

function readHost(token: Token): string {
  if (token.text === '*') return token.text;
  const host = /^\[(.+)\](?::\d+)?$/.exec(token.text)?.[1] ?? token.text.replace(/^([^:]+):\d+$/, '$1');
  if (parseIp(host) === undefined) throw configError(token, `not an IP address: "${token.text}"`);
  return host;
}

function transfer(
  request: DnsRequest,
  { rules, environment, next }: { rules: readonly TransferRule[]; environment: PluginEnvironment; next: Handler },
): Reply | Promise<Reply> {
  const { question, client, message } = request;
  const name = question.name.toLowerCase();
  const rule = longestMatch(rules, name);
  if (rule === undefined) return next(request);
  if (!rule.to.includes('*') && !rule.to.includes(client.address)) {
    return buildReply('transfer', { rcode: Rcode.REFUSED });
  }
  let serial = 0;
  if (question.type === RecordType.IXFR) {
    const soa = message.authority.length === 1 ? readSoa(message.authority[0]!) : undefined;
    if (soa === undefined) return bareReply('transfer', Rcode.SERVFAIL);
    serial = soa.serial;
  }
  for (const plugin of environment.siblings()) {
    const records = plugin.transfer?.(name, serial);
    if (records === undefined) continue;
    // A single SOA says that there is nothing new.
    if (records.length === 1) return buildReply('transfer', { answer: records });
    return buildReply('transfer', { authoritative: true, transfer: records });
  }
  return next(request);
}

function longestMatch(rules: readonly TransferRule[], name: string): TransferRule | undefined {
  let best: { rule: TransferRule; zone: string } | undefined;
  for (const rule of rules) {
    const zone = matchZone(rule.zones, name);
    if (zone !== undefined && (best === undefined || zone.length > best.zone.length)) best = { rule, zone };
  }
  return best?.rule;
}
