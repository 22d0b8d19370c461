import type { DnsRequest } from '../server/dns-request.ts';
import type { Reply } from '../server/reply.ts';
import type { ResourceRecord } from '../wire/record.ts';

/** Changes a reply on its way back; may ask the server again. */
export type ReplyRule = (reply: Reply) => Reply | Promise<Reply>;

/** What a rule made of a request; undefined when it does not apply. */
export interface Rewritten {
  readonly request: DnsRequest;
  /** Applied to the reply, those of later rules first. */
  readonly replyRules: readonly ReplyRule[];
}

/** One rewrite line of a Corefile. */
export interface RewriteRule {
  /** Whether later rules still run after this one applied. */
  readonly mode: 'stop' | 'continue';
  readonly rewrite: (request: DnsRequest) => Rewritten | undefined;
}

/** A reply rule that changes each record of every section. */
export function perRecord(map: (record: ResourceRecord) => ResourceRecord): ReplyRule {
  return (reply) => ({
    ...reply,
    answer: reply.answer.map(map),
    authority: reply.authority.map(map),
    additional: reply.additional.map(map),
  });
}
