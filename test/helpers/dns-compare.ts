import { askTcp, askUdp } from './dns-client.ts';
import { type ComparableReply, comparable, judgeReply } from './dns-judge.ts';

export interface ComparedQuery {
  readonly name: string;
  readonly type: string;
  readonly packet: Uint8Array;
}

export interface CompareOptions {
  /** Ports of the two servers. */
  readonly theirs: number;
  readonly ours: number;
  readonly withoutDeviations: (reply: ComparableReply | undefined) => ComparableReply | undefined;
  /** Fields that may differ. */
  readonly except?: readonly (keyof ComparableReply)[];
  /** Leaves out what depends on who found an answer in its cache: TTLs, the case of names, AA. */
  readonly cached?: boolean;
}

const AT_ONCE = 20;

/** Asks two servers the same questions; the differences as text, empty when there are none. */
export async function compareServers(queries: readonly ComparedQuery[], options: CompareOptions): Promise<string> {
  const differences: string[] = [];
  for (let at = 0; at < queries.length; at += AT_ONCE) {
    await Promise.all(
      queries.slice(at, at + AT_ONCE).map(async (query) => {
        const replies = await Promise.all([ask(query, options.theirs), ask(query, options.ours)]);
        const theirs = print(options.withoutDeviations(replies[0]), options);
        const ours = print(replies[1], options);
        if (theirs !== ours) differences.push(`${query.name} ${query.type}\n CoreDNS ${theirs}\n here    ${ours}`);
      }),
    );
  }
  return differences.join('\n');
}

/** The reply in a form that compares; over TCP where it was cut. */
async function ask({ packet }: ComparedQuery, port: number): Promise<ComparableReply | undefined> {
  const reply = await askUdp(packet, { port });
  if (reply === undefined) return undefined;
  const judged = judgeReply(reply);
  if (!judged.flags.tc) return comparable(judged);
  const [whole] = await askTcp(packet, { port });
  return comparable(judgeReply(whole!));
}

function print(reply: ComparableReply | undefined, { cached, except = [] }: CompareOptions): string {
  const one = cached && reply ? withoutCase(reply) : reply;
  const compared = one && Object.entries(one).filter(([field]) => !except.includes(field as keyof ComparableReply));
  const text = compared === undefined ? 'nothing' : JSON.stringify(Object.fromEntries(compared));
  return cached ? text.toLowerCase().replaceAll(/("ttl.?":)\d+|("aa":)\w+/g, '$1$2 0') : text;
}

// In the order of names whose case does not matter.
function withoutCase(reply: ComparableReply): ComparableReply {
  return { ...reply, sections: reply.sections.map((records) => records.map((text) => text.toLowerCase()).sort()) };
}
