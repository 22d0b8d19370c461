import type { ComparableReply } from '../../helpers/dns-judge.ts';

/** Where answers differ from CoreDNS's on purpose: what is compared leaves these out, and why. */
export const deviations: Readonly<Record<string, string>> = {
  'repeated records':
    'k8s_external of CoreDNS repeats a CNAME once for each port or external IP of its Service. A set of records holds each one once (RFC 2181, section 5).',
  'DO of an error':
    'template of CoreDNS sets DO in replies with an extended error. DO of a reply is that of the query (RFC 3225, section 3).',
  'question after rewrite continue':
    'When a rule that continues is the last one that fits, CoreDNS sends the changed question back, which clients drop. The question here is the one asked.',
  'EDNS of clients without':
    'rewrite edns0 of CoreDNS brings its OPT record into replies to queries without one (against RFC 6891, section 7).',
  'times of the SOA': 'The serial is the second of the last change as each server saw it.',
};

/** A reply of CoreDNS without what differs on purpose. */
export function withoutDeviations(reply: ComparableReply | undefined): ComparableReply | undefined {
  return reply && { ...reply, sections: reply.sections.map((records) => [...new Set(records)]) };
}

/** What a block of plugins makes differ on purpose. */
export function deviatingFields(block: string): readonly (keyof ComparableReply)[] {
  if (block.includes('ederror') || block.includes('rewrite edns0')) return ['edns'];
  return block.includes('rewrite continue name') ? ['question'] : [];
}
