import { performance } from 'node:perf_hooks';
import { configError } from '../corefile/config-error.ts';
import type { Directive } from '../corefile/parse-corefile.ts';
import { readArguments, readChoice, readOptions } from '../corefile/read-options.ts';
import { type DnsRequest, wantsDnssec } from '../server/dns-request.ts';
import { encodeReply, type Reply } from '../server/reply.ts';
import { responseType } from '../server/response-type.ts';
import { Flag, opcodeOf } from '../wire/message.ts';
import { absoluteName, isSubdomain } from '../wire/name.ts';
import { printRcode } from '../wire/rcode.ts';
import { printRecordClass, printRecordType } from '../wire/record-type.ts';
import type { Handler, Plugin, PluginEnvironment } from './plugin.ts';

const classes = ['all', 'denial', 'error', 'success'] as const;
type LogClass = (typeof classes)[number];

interface LogRule {
  readonly scope: string;
  readonly format: string;
  readonly classes: ReadonlySet<LogClass>;
}

const COMMON =
  '{remote}:{port} - {>id} "{type} {class} {name} {proto} {size} {>do} {>bufsize}" {rcode} {>rflags} {rsize} {duration}';
const COMBINED = `${COMMON} "{>opcode}"`;

/** log: a line per query, in CoreDNS's formats; the first rule whose scope holds the name applies. */
export function logPlugin(directives: readonly Directive[], environment: PluginEnvironment): readonly Plugin[] {
  const rules = directives.flatMap(readRules);
  const { log } = environment;
  return [
    {
      name: 'log',
      handle: (request: DnsRequest, next: Handler): Reply | Promise<Reply> => {
        const name = request.question.name.toLowerCase();
        const rule = rules.find(({ scope }) => isSubdomain(scope, name));
        if (rule === undefined) return next(request);
        const startedAt = performance.now();
        const tell = (reply: Reply): Reply => {
          if (!rule.classes.has('all') && !rule.classes.has(classOf(request, reply))) return reply;
          log('info', printQuery(rule.format, { request, reply, seconds: (performance.now() - startedAt) / 1000 }));
          return reply;
        };
        const reply = next(request);
        return reply instanceof Promise ? reply.then(tell) : tell(reply);
      },
    },
  ];
}

function readRules(directive: Directive): readonly LogRule[] {
  const words = directive.args.map((token) => token.text);
  const last = words.at(-1);
  const hasFormat = words.length > 1 && last!.includes('{');
  const format = hasFormat ? last!.replaceAll('{common}', COMMON).replaceAll('{combined}', COMBINED) : COMMON;
  const scopes = hasFormat ? words.slice(0, -1) : words;
  const chosen = new Set<LogClass>();
  readOptions(directive, {
    class: (line) => {
      readArguments(line, 1);
      for (const token of line.args) chosen.add(readChoice(token, classes));
    },
  });
  if (chosen.size === 0) chosen.add('all');
  if (hasFormat && scopes.length === 0) throw configError(directive.name, 'a format needs a name in front of it');
  return (scopes.length === 0 ? ['.'] : scopes).map((scope) => ({
    scope: absoluteName(scope).toLowerCase(),
    format,
    classes: chosen,
  }));
}

function classOf({ question }: DnsRequest, reply: Reply): LogClass {
  const type = responseType(question, reply);
  if (type === 'name-error' || type === 'no-data') return 'denial';
  return type === 'server-error' || type === 'other-error' ? 'error' : 'success';
}

function printQuery(format: string, done: { request: DnsRequest; reply: Reply; seconds: number }): string {
  return format.replace(/\{[^{}]*\}/g, (label) => printLabel(label, done) ?? label);
}

function printLabel(
  label: string,
  { request, reply, seconds }: { request: DnsRequest; reply: Reply; seconds: number },
): string | undefined {
  const { question, client, message, bytes, size } = request;
  switch (label) {
    case '{type}':
      return printRecordType(question.type);
    case '{name}':
      return question.name.toLowerCase();
    case '{class}':
      return printRecordClass(question.class);
    case '{proto}':
      return client.transport;
    case '{size}':
      return String(bytes.length);
    case '{remote}':
      return client.address.includes(':') ? `[${client.address}]` : client.address;
    case '{port}':
      return String(client.port);
    case '{>id}':
      return String(message.id);
    case '{>opcode}':
      return String(opcodeOf(message.flags));
    case '{>do}':
      return String(wantsDnssec(request));
    case '{>bufsize}':
      return String(size);
    case '{rcode}':
      return printRcode(reply.rcode);
    case '{rsize}':
      return String(encodeReply({ ...request, size: 0xffff }, reply).length);
    case '{duration}':
      return `${seconds.toFixed(9).replace(/0+$/, '')}s`;
    case '{>rflags}':
      return printFlags(request, reply);
    default:
      // Values of the metadata plugin, which is not served.
      return label.startsWith('{/') ? '-' : undefined;
  }
}

function printFlags({ message }: DnsRequest, reply: Reply): string {
  const flags = [
    'qr',
    reply.authoritative ? 'aa' : '',
    reply.truncated ? 'tc' : '',
    (message.flags & Flag.RD) !== 0 ? 'rd' : '',
    reply.recursionAvailable ? 'ra' : '',
    reply.authenticatedData ? 'ad' : '',
    (message.flags & Flag.CD) !== 0 ? 'cd' : '',
  ];
  return flags.filter((flag) => flag !== '').join(',');
}
