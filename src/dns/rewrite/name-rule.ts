import { configError } from '../corefile/config-error.ts';
import type { Token } from '../corefile/tokens.ts';
import { withQuestion } from '../server/dns-request.ts';
import { absoluteName, encodeName } from '../wire/name.ts';
import { mapTarget, type ResourceRecord } from '../wire/record.ts';
import { RecordType } from '../wire/record-type.ts';
import { matchKindOf, nameReplacer, normalizeName, regexReplacer } from './name-matcher.ts';
import { perRecord, type ReplyRule, type RewriteRule } from './rewrite-rule.ts';

interface AnswerRules {
  readonly auto: boolean;
  readonly rules: readonly ReplyRule[];
}

/** Types whose target a value rule rewrites, as in CoreDNS. */
const VALUE_TYPES = new Set<number>([
  RecordType.SRV,
  RecordType.MX,
  RecordType.CNAME,
  RecordType.NS,
  RecordType.DNAME,
  RecordType.NAPTR,
  RecordType.SOA,
  RecordType.PTR,
]);

/** `name [KIND] FROM TO [answer auto|name FROM TO|value FROM TO]...` */
export function readNameRule(at: Token, words: readonly Token[], mode: RewriteRule['mode']): RewriteRule {
  const kind = words.length === 2 ? 'exact' : matchKindOf(words[0]);
  if (words.length < 2) throw configError(at, 'too few arguments for a name rule');
  if (kind === undefined) {
    throw configError(words[0]!, 'name rule supports only exact, prefix, suffix, substring, and regex name matching');
  }
  const [from, toToken, ...rest] = (words.length === 2 ? words : words.slice(1)) as [Token, Token, ...Token[]];
  const answers = readAnswerRules(at, rest);
  const to = normalizeName(toToken.text);
  const replace = nameReplacer(kind, from, to);
  return {
    mode,
    rewrite: (request) => {
      const original = request.question.name.toLowerCase();
      const name = replace(original);
      if (name === undefined) return undefined;
      if (encodeName(name) === undefined)
        return { request: withQuestion(request, { ...request.question, name }), replyRules: [] };
      const auto = kind === 'exact' || answers.auto;
      // A suffix goes back as a suffix, so that names the reply adds below it go back too.
      const back = kind === 'suffix' ? suffixBack(to, normalizeName(from.text)) : nameBack(name, original);
      const reverted = auto ? [renameOwners(back), renameValues(back)] : [];
      return {
        request: withQuestion(request, { ...request.question, name }),
        replyRules: [...reverted, ...answers.rules],
      };
    },
  };
}

function readAnswerRules(at: Token, words: readonly Token[]): AnswerRules {
  const rules: ReplyRule[] = [];
  let auto = false;
  let named = false;
  const queue = [...words];
  if (queue.length > 0 && queue[0]!.text !== 'answer') {
    throw configError(queue[0]!, `unexpected argument '${queue[0]!.text}' of a name rule`);
  }
  while (queue.length > 0) {
    if (queue[0]!.text === 'answer') queue.shift();
    const kind = queue.shift();
    if (kind?.text === 'auto') auto = true;
    else if ((kind?.text === 'name' || kind?.text === 'value') && queue.length >= 2) {
      const replace = regexReplacer(queue.shift()!, normalizeName(queue.shift()!.text));
      const rename = (name: string): string => replace(name) ?? name;
      rules.push(kind.text === 'name' ? renameOwners(rename) : renameValues(rename));
      named ||= kind.text === 'name';
    } else throw configError(kind ?? at, `invalid answer rule '${kind?.text ?? ''}'`);
  }
  if (auto && named) {
    throw configError(at, 'auto name answer rule cannot be combined with explicit name answer rules');
  }
  return { auto, rules };
}

function renameOwners(rename: (name: string) => string): ReplyRule {
  return perRecord((record) => ({ ...record, name: rename(record.name) }));
}

function renameValues(rename: (name: string) => string): ReplyRule {
  return perRecord((record: ResourceRecord) =>
    VALUE_TYPES.has(record.type) ? mapTarget(record, (target) => absoluteName(rename(target))) : record,
  );
}

function nameBack(rewritten: string, original: string): (name: string) => string {
  return (name) => {
    if (name === rewritten) return original;
    return name.endsWith(`.${rewritten}`) ? name.slice(0, name.length - rewritten.length) + original : name;
  };
}

function suffixBack(rewritten: string, original: string): (name: string) => string {
  return (name) => (name.endsWith(rewritten) ? name.slice(0, name.length - rewritten.length) + original : name);
}
