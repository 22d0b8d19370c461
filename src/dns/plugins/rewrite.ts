import { configError } from '../corefile/config-error.ts';
import type { Directive } from '../corefile/parse-corefile.ts';
import type { Token } from '../corefile/tokens.ts';
import { readEdnsRule } from '../rewrite/edns-rule.ts';
import { readNameRule } from '../rewrite/name-rule.ts';
import { readCnameRule, readRcodeRule, readTtlRule } from '../rewrite/reply-rules.ts';
import type { ReplyRule, RewriteRule } from '../rewrite/rewrite-rule.ts';
import { type DnsRequest, withQuestion } from '../server/dns-request.ts';
import { bareReply, type Reply } from '../server/reply.ts';
import { encodeName } from '../wire/name.ts';
import { Rcode } from '../wire/rcode.ts';
import { parseRecordClass, parseRecordType } from '../wire/record-type.ts';
import type { Handler, Plugin, PluginEnvironment } from './plugin.ts';

/** rewrite: changes queries before the plugins behind it see them, and replies on their way back. */
export function rewritePlugin(directives: readonly Directive[], environment: PluginEnvironment): readonly Plugin[] {
  const rules = directives.flatMap((directive) => readRules(directive, environment));
  return [{ name: 'rewrite', handle: (request: DnsRequest, next: Handler) => rewriteRequest(request, rules, next) }];
}

function readRules(directive: Directive, environment: PluginEnvironment): readonly RewriteRule[] {
  const lines = directive.options.map(({ name, args }) => [name, ...args]);
  const whole = directive.args.length > 0 ? [directive.args, ...lines] : lines;
  // `rewrite continue { ... }` holds one rule over several lines.
  if (directive.args.length > 0 && lines.length > 0) return [readRule(directive.name, whole.flat(), environment)];
  if (whole.length === 0) throw configError(directive.name, 'no rule type specified for rewrite');
  return whole.map((words) => readRule(directive.name, words, environment));
}

function readRule(at: Token, words: readonly Token[], environment: PluginEnvironment): RewriteRule {
  const first = words[0]!.text.toLowerCase();
  const explicit = first === 'stop' || first === 'continue';
  const mode = first === 'continue' ? 'continue' : 'stop';
  const [type, ...rest] = explicit ? words.slice(1) : words;
  if (type === undefined) throw configError(at, `${first} rule must begin with a rule type`);
  switch (type.text.toLowerCase()) {
    case 'name':
      return readNameRule(type, rest, mode);
    case 'type':
      return swapRule(type, rest, { mode, field: 'type', parse: parseRecordType });
    case 'class':
      return swapRule(type, rest, { mode, field: 'class', parse: parseRecordClass });
    case 'ttl':
      return readTtlRule(type, rest, mode);
    case 'rcode':
      return readRcodeRule(type, rest, mode);
    case 'cname':
      return readCnameRule(type, rest, { mode, ask: environment.ask });
    case 'edns0': {
      const own = (): { address: string; port: number } => ({
        address: environment.ownAddresses()[0] ?? '',
        port: environment.block.keys[0]?.port ?? 0,
      });
      return readEdnsRule(type, rest, { mode, own });
    }
    default:
      throw configError(type, `invalid rule type "${type.text}"`);
  }
}

function swapRule(
  at: Token,
  words: readonly Token[],
  swap: {
    readonly mode: RewriteRule['mode'];
    readonly field: 'type' | 'class';
    readonly parse: (text: string) => number | undefined;
  },
): RewriteRule {
  const [from, to] = words.map((token) => {
    const value = swap.parse(token.text);
    if (value === undefined) throw configError(token, `invalid ${swap.field} "${token.text}"`);
    return value;
  });
  if (words.length !== 2 || from === undefined || to === undefined) {
    throw configError(at, `${swap.field} rules must have exactly two arguments`);
  }
  return {
    mode: swap.mode,
    rewrite: (request) => {
      if (request.question[swap.field] !== from) return undefined;
      return { request: withQuestion(request, { ...request.question, [swap.field]: to }), replyRules: [] };
    },
  };
}

function rewriteRequest(request: DnsRequest, rules: readonly RewriteRule[], next: Handler): Reply | Promise<Reply> {
  let current = request;
  const replyRules: ReplyRule[] = [];
  for (const rule of rules) {
    const rewritten = rule.rewrite(current);
    if (rewritten === undefined) continue;
    const { name } = rewritten.request.question;
    if (encodeName(name) === undefined) {
      return bareReply('rewrite', Rcode.SERVFAIL, `invalid name after rewrite: ${name}`);
    }
    current = rewritten.request;
    replyRules.push(...rewritten.replyRules);
    if (rule.mode === 'stop') break;
  }
  if (replyRules.length === 0) return next(current);
  return revert(next(current), replyRules);
}

async function revert(pending: Reply | Promise<Reply>, replyRules: readonly ReplyRule[]): Promise<Reply> {
  let reply = { ...(await pending), written: true };
  try {
    for (const rule of [...replyRules].reverse()) reply = { ...(await rule(reply)), written: true };
  } catch (error) {
    // A pattern may make a name too long or empty.
    if (error instanceof RangeError) return bareReply('rewrite', Rcode.SERVFAIL, error.message);
    throw error;
  }
  return reply;
}
