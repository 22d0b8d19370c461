import type { ComparableReply } from '../../helpers/dns-judge.ts';

/** A place where answers differ from CoreDNS's on purpose. */
interface Deviation {
  readonly why: string;
  /** A reply of CoreDNS without what differs. */
  readonly without?: (reply: ComparableReply) => ComparableReply;
  /** Part of the block of plugins that brings it, and the field of replies that then differs. */
  readonly plugin?: string;
  readonly field?: keyof ComparableReply;
}

const deviations: Readonly<Record<string, Deviation>> = {
  'repeated records': {
    why: 'k8s_external of CoreDNS repeats a CNAME once for each port or external IP of its Service. A set of records holds each one once (RFC 2181, section 5).',
    without: (reply) => ({ ...reply, sections: reply.sections.map((records) => [...new Set(records)]) }),
  },
  'DO of an error': {
    why: 'template of CoreDNS sets DO in replies with an extended error. DO of a reply is that of the query (RFC 3225, section 3).',
    plugin: 'ederror',
    field: 'edns',
  },
  'question after rewrite continue': {
    why: 'When a rule that continues is the last one that fits, CoreDNS sends the changed question back, which clients drop. The question here is the one asked.',
    plugin: 'rewrite continue name',
    field: 'question',
  },
  'question after autopath': {
    why: 'Where nothing is found, CoreDNS sends back the question in the case of its search path, which clients that vary case drop. The question here is the one asked.',
    plugin: 'autopath',
    field: 'question',
  },
  'EDNS of clients without': {
    why: 'rewrite edns0 of CoreDNS brings its OPT record into replies to queries without one (against RFC 6891, section 7).',
    plugin: 'rewrite edns0',
    field: 'edns',
  },
};

/** A reply of CoreDNS without what differs on purpose. The serial of an SOA, each server's own time, is left out before. */
export function withoutDeviations(reply: ComparableReply | undefined): ComparableReply | undefined {
  if (reply === undefined) return undefined;
  return Object.values(deviations).reduce((rest, { without }) => without?.(rest) ?? rest, reply);
}

/** The fields that a block of plugins makes differ on purpose. */
export function deviatingFields(block: string): readonly (keyof ComparableReply)[] {
  return Object.values(deviations).flatMap(({ plugin, field }) =>
    plugin !== undefined && field !== undefined && block.includes(plugin) ? [field] : [],
  );
}
