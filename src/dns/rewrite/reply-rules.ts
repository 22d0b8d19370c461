import { configError } from '../corefile/config-error.ts';
import type { Token } from '../corefile/tokens.ts';
import type { Handler } from '../plugins/plugin.ts';
import { type DnsRequest, withQuestion } from '../server/dns-request.ts';
import type { Reply } from '../server/reply.ts';
import { parseRcode } from '../wire/rcode.ts';
import { mapTarget, targetOf } from '../wire/record.ts';
import { RecordClass, RecordType } from '../wire/record-type.ts';
import { matchKindOf, nameMatcher, nameReplacer, normalizeName, regexReplacer } from './name-matcher.ts';
import { perRecord, type ReplyRule, type RewriteRule } from './rewrite-rule.ts';

const MAX_TTL = 2 ** 31 - 1;

/** `ttl [KIND] NAME SECONDS|MIN-MAX` */
export function readTtlRule(at: Token, words: readonly Token[], mode: RewriteRule['mode']): RewriteRule {
  const [range, ...match] = [...words].reverse();
  const { min, max } = readRange(range ?? at);
  const rule = perRecord((record) => ({ ...record, ttl: Math.min(Math.max(record.ttl, min), max) }));
  return onMatch({ at, words: match.reverse(), mode }, rule);
}

/** `rcode [KIND] NAME OLD NEW` */
export function readRcodeRule(at: Token, words: readonly Token[], mode: RewriteRule['mode']): RewriteRule {
  const codes = words.slice(-2).map((token) => {
    const rcode = parseRcode(token.text);
    if (rcode === undefined || rcode > 23) throw configError(token, `invalid RCODE '${token.text}' for a rcode rule`);
    return rcode;
  });
  const [from, to] = codes;
  if (to === undefined) throw configError(at, 'too few arguments for a rcode rule');
  const rule: ReplyRule = (reply) => (reply.rcode === from ? { ...reply, rcode: to } : reply);
  return onMatch({ at, words: words.slice(0, -2), mode }, rule);
}

/** `cname [KIND] FROM TO`: another target for a CNAME, and what that target leads to. */
export function readCnameRule(
  at: Token,
  words: readonly Token[],
  { mode, ask }: { mode: RewriteRule['mode']; ask: Handler },
): RewriteRule {
  const kind = words.length === 2 ? 'exact' : words.length === 3 ? matchKindOf(words[0]) : undefined;
  const [from, to] = words.slice(-2);
  if (kind === undefined || from === undefined || to === undefined) throw configError(at, 'invalid cname rule');
  const target = kind === 'exact' ? normalizeName(to.text) : to.text.toLowerCase();
  const replace = kind === 'regex' ? regexReplacer(from, target) : nameReplacer(kind, from, target);
  return {
    mode,
    rewrite: (request) => ({ request, replyRules: [(reply) => followOther(request, reply, { replace, ask })] }),
  };
}

async function followOther(
  request: DnsRequest,
  reply: Reply,
  { replace, ask }: { replace: (name: string) => string | undefined; ask: Handler },
): Promise<Reply> {
  const at = reply.answer.findIndex((record) => {
    return record.type === RecordType.CNAME && replace(targetOf(record)) !== undefined;
  });
  if (at === -1) return reply;
  const alias = reply.answer[at]!;
  const target = replace(targetOf(alias))!;
  const followed = await ask(withQuestion(request, { ...request.question, name: target, class: RecordClass.IN }));
  const aliases = reply.answer.slice(0, at).filter(({ type }) => type === RecordType.CNAME);
  const answer = [...aliases, mapTarget(alias, () => target), ...followed.answer];
  return { ...reply, answer, truncated: followed.truncated };
}

function onMatch(
  { at, words, mode }: { at: Token; words: readonly Token[]; mode: RewriteRule['mode'] },
  rule: ReplyRule,
): RewriteRule {
  const kind = words.length === 1 ? 'exact' : words.length === 2 ? matchKindOf(words[0]) : undefined;
  if (kind === undefined) {
    throw configError(at, `${at.text} rule supports only exact, prefix, suffix, substring, and regex name matching`);
  }
  const matches = nameMatcher(kind, words.at(-1)!);
  return {
    mode,
    rewrite: (request) => (matches(request.question.name.toLowerCase()) ? { request, replyRules: [rule] } : undefined),
  };
}

function readRange(token: Token): { readonly min: number; readonly max: number } {
  const match = /^(?:(\d{1,10})|(\d{0,10})-(\d{0,10}))$/.exec(token.text);
  const single = match?.[1];
  const min = Number(single ?? match?.[2] ?? 0);
  const max = single !== undefined ? Number(single) : match?.[3] === '' ? MAX_TTL : Number(match?.[3] ?? -1);
  if (match === null || token.text === '-' || min > max) throw configError(token, `invalid TTL '${token.text}'`);
  return { min, max };
}
