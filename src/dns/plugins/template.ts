import { configError } from '../corefile/config-error.ts';
import { normalizeAll } from '../corefile/normalize-zone.ts';
import type { Directive, OptionLine } from '../corefile/parse-corefile.ts';
import { readArguments, readInteger, readOptions, readRegExp } from '../corefile/read-options.ts';
import type { Token } from '../corefile/tokens.ts';
import { type DnsRequest, withQuestion } from '../server/dns-request.ts';
import { bareReply, buildReply, type Reply } from '../server/reply.ts';
import { parseTemplate, type Template, type TemplateFields } from '../template/go-template.ts';
import { extendedError } from '../wire/edns.ts';
import { isSubdomain, matchZone } from '../wire/name.ts';
import { parseRcode, Rcode } from '../wire/rcode.ts';
import { type ResourceRecord, targetOf } from '../wire/record.ts';
import { parseRecord } from '../wire/record-text.ts';
import {
  parseRecordClass,
  parseRecordType,
  printRecordClass,
  printRecordType,
  RecordClass,
  RecordType,
} from '../wire/record-type.ts';
import { readFallthrough } from './kubernetes.ts';
import type { Handler, Plugin, PluginEnvironment } from './plugin.ts';

type Section = 'answer' | 'authority' | 'additional';

interface TemplateRule {
  readonly zones: readonly string[];
  readonly class: number;
  readonly type: number;
  readonly expressions: readonly RegExp[];
  readonly templates: Readonly<Record<Section, readonly Template[]>>;
  readonly rcode: number;
  readonly extendedError: { readonly code: number; readonly reason: string } | undefined;
  readonly fallthrough: readonly string[];
}

/** template: answers from patterns and templates in the Corefile. */
export function templatePlugin(directives: readonly Directive[], environment: PluginEnvironment): readonly Plugin[] {
  const rules = directives.map((directive) => readRule(directive, environment.zones));
  const zones = rules.flatMap((rule) => rule.zones);
  return [
    {
      name: 'template',
      leavesAlone: (zone) => !zones.some((own) => isSubdomain(own, zone) || isSubdomain(zone, own)),
      handle: (request: DnsRequest, next: Handler): Reply | Promise<Reply> => {
        for (const rule of rules) {
          const matched = matchRule(rule, request);
          if (matched === 'next') continue;
          if (matched === 'failure') return bareReply('template', Rcode.SERVFAIL);
          return fill(rule, matched, { request, ask: environment.ask });
        }
        return next(request);
      },
    },
  ];
}

function readRule(directive: Directive, blockZones: readonly string[]): TemplateRule {
  const [classToken, typeToken, ...zoneTokens] = directive.args;
  const recordClass = parseRecordClass(classToken?.text ?? '');
  const type = parseRecordType(typeToken?.text ?? '');
  if (recordClass === undefined) {
    throw configError(classToken ?? directive.name, `invalid query class ${classToken?.text ?? ''}`);
  }
  if (type === undefined) throw configError(typeToken ?? directive.name, `invalid RR class ${typeToken?.text ?? ''}`);
  const expressions: RegExp[] = [];
  const templates: Record<Section, Template[]> = { answer: [], authority: [], additional: [] };
  const rule = { rcode: Rcode.NOERROR as number, fallthrough: [] as readonly string[] };
  let ede: TemplateRule['extendedError'];
  const section = (name: Section) => (line: OptionLine) => {
    readArguments(line, 1);
    templates[name].push(...line.args.map(readTemplate));
  };
  readOptions(directive, {
    match: (line) => {
      readArguments(line, 1);
      expressions.push(...line.args.map(readRegExp));
    },
    answer: section('answer'),
    authority: section('authority'),
    additional: section('additional'),
    rcode: (line) => {
      const rcode = parseRcode(readArguments(line, 1, 1)[0]!);
      if (rcode === undefined) throw configError(line.args[0]!, `unknown rcode ${line.args[0]!.text}`);
      rule.rcode = rcode;
    },
    ederror: (line) => {
      const [, reason = ''] = readArguments(line, 1, 2);
      ede = { code: readInteger(line.args[0]!, 0, 0xffff), reason };
    },
    fallthrough: (line) => {
      rule.fallthrough = readFallthrough(line);
    },
    upstream: () => undefined,
  });
  return {
    ...{ class: recordClass, type, templates, ...rule, extendedError: ede },
    zones: zoneTokens.length === 0 ? blockZones : normalizeAll(zoneTokens.map((token) => token.text)),
    expressions: expressions.length === 0 ? [/.*/] : expressions,
  };
}

function readTemplate(token: Token): Template {
  try {
    return parseTemplate(token.text);
  } catch (error) {
    throw configError(token, `could not compile template: ${(error as Error).message}`);
  }
}

function matchRule(rule: TemplateRule, request: DnsRequest): TemplateFields | 'next' | 'failure' {
  const { type, class: qclass } = request.question;
  const name = request.question.name.toLowerCase();
  const zone = matchZone(rule.zones, name);
  if (zone === undefined) return 'next';
  const any = RecordClass.ANY;
  if (rule.class !== any && qclass !== any && qclass !== rule.class) return 'next';
  if (rule.type !== RecordType.ANY && type !== RecordType.ANY && type !== rule.type) return 'next';
  for (const expression of rule.expressions) {
    const match = expression.exec(name);
    if (match !== null) return fieldsOf(rule, { request, zone, expression, match });
  }
  return matchZone(rule.fallthrough, name) === undefined ? 'failure' : 'next';
}

function fieldsOf(
  rule: TemplateRule,
  found: { request: DnsRequest; zone: string; expression: RegExp; match: RegExpExecArray },
): TemplateFields {
  const { request, zone, expression, match } = found;
  const { question, client, message } = request;
  const groups = match.map((value) => value ?? '');
  return {
    Zone: zone,
    Name: question.name.toLowerCase(),
    Regex: expression.source,
    Match: groups,
    Group: { ...Object.fromEntries(groups.entries()), ...match.groups },
    Class: printRecordClass(question.class === RecordClass.ANY ? rule.class : question.class),
    Type: printRecordType(question.type === RecordType.ANY ? rule.type : question.type),
    Question: { Name: question.name, Qtype: question.type, Qclass: question.class },
    Message: { Id: message.id },
    Remote: client.address,
  };
}

async function fill(
  rule: TemplateRule,
  fields: TemplateFields,
  asked: { request: DnsRequest; ask: Handler },
): Promise<Reply> {
  if (rule.rcode === Rcode.SERVFAIL) return bareReply('template', Rcode.SERVFAIL);
  try {
    return await fillSections(rule, fields, asked);
  } catch (error) {
    // What a query made of a template is no bug of the server: CoreDNS logs it and says SERVFAIL.
    if (error instanceof RangeError) return bareReply('template', Rcode.SERVFAIL, error.message);
    throw error;
  }
}

async function fillSections(
  rule: TemplateRule,
  fields: TemplateFields,
  { request, ask }: { request: DnsRequest; ask: Handler },
): Promise<Reply> {
  const answer: ResourceRecord[] = [];
  let truncated = false;
  const { type } = request.question;
  for (const record of rule.templates.answer.map((template) => toRecord(template, fields))) {
    answer.push(record);
    if (record.type !== RecordType.CNAME || (type !== RecordType.A && type !== RecordType.AAAA)) continue;
    const followed = await ask(withQuestion(request, { name: targetOf(record), type, class: RecordClass.IN }));
    answer.push(...followed.answer);
    truncated ||= followed.truncated;
  }
  const { extendedError: ede } = rule;
  return buildReply('template', {
    ...{ rcode: rule.rcode, authoritative: true, answer, truncated },
    authority: rule.templates.authority.map((template) => toRecord(template, fields)),
    additional: rule.templates.additional.map((template) => toRecord(template, fields)),
    options: ede === undefined ? [] : [extendedError(ede.code, ede.reason)],
  });
}

function toRecord(template: Template, fields: TemplateFields): ResourceRecord {
  const text = template(fields);
  const record = parseRecord(text);
  if (record === undefined) throw new RangeError(`template made no record: ${text}`);
  return record;
}
