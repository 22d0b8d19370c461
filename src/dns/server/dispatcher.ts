import type { DnsMetrics } from '../metrics/dns-metrics.ts';
import type { Handler, Plugin } from '../plugins/plugin.ts';
import { matchZone } from '../wire/name.ts';
import { Rcode } from '../wire/rcode.ts';
import { RecordClass, RecordType } from '../wire/record-type.ts';
import type { DnsRequest } from './dns-request.ts';
import { bareReply, buildReply, type Reply } from './reply.ts';

/** A server block ready to answer: its zones and its plugins in order. */
export interface CompiledBlock {
  readonly zones: readonly string[];
  readonly plugins: readonly Plugin[];
  readonly handler: Handler;
  /** Undefined without the prometheus plugin. */
  readonly metrics: DnsMetrics | undefined;
}

/** Chains plugins in their order; behind the last one is SERVFAIL, as in CoreDNS. */
export function chainPlugins(plugins: readonly Plugin[]): Handler {
  const handling = plugins.filter((plugin) => plugin.handle !== undefined);
  const last = handling.at(-1)?.name ?? '';
  const noNext: Handler = () => bareReply('', Rcode.SERVFAIL, `plugin/${last}: no next plugin found`);
  return handling.reduceRight<Handler>((next, plugin) => (request) => plugin.handle!(request, next), noNext);
}

/** The zone that the metrics of a block count a name under. */
export function metricZone(block: CompiledBlock, name: string): string {
  return matchZone(block.zones, name) ?? '.';
}

/** The blocks of one listening address: finds the one with the longest matching zone. */
export class Dispatcher {
  readonly blocks: readonly CompiledBlock[];
  readonly #byZone = new Map<string, CompiledBlock>();
  readonly #allClasses: boolean;

  constructor(blocks: readonly CompiledBlock[]) {
    this.blocks = blocks;
    for (const block of blocks) for (const zone of block.zones) this.#byZone.set(zone, block);
    // As CoreDNS: forward in any block lets every class through.
    this.#allClasses = blocks.some(({ plugins }) => plugins.some(({ name }) => name === 'forward'));
  }

  /** Answers through the block of the question's name. */
  readonly serve: Handler = (request) => {
    const early = this.refuse(request);
    if (early !== undefined) return early;
    const block = this.blockOf(request.question.name, request.question.type);
    return block === undefined ? bareReply('', Rcode.REFUSED) : block.handler(request);
  };

  /** The reply to a class or an EDNS version that is not served. */
  refuse({ question, message }: DnsRequest): Reply | undefined {
    if (!this.#allClasses && question.class !== RecordClass.IN) return bareReply('', Rcode.REFUSED);
    if (message.edns !== undefined && message.edns.version !== 0) return buildReply('', { rcode: Rcode.BADVERS });
    return undefined;
  }

  /** The block that answers a name; DS belongs to the parent's side of a zone cut. */
  blockOf(name: string, type: number): CompiledBlock | undefined {
    let rest = name.toLowerCase();
    let own: CompiledBlock | undefined;
    while (rest !== '' && rest !== '.') {
      const block = this.#byZone.get(rest);
      if (block !== undefined && type !== RecordType.DS) return block;
      own = block ?? own;
      rest = rest.slice(labelEnd(rest) + 1);
    }
    return own ?? this.#byZone.get('.');
  }
}

function labelEnd(name: string): number {
  let at = 0;
  while (at < name.length && name[at] !== '.') at += name[at] === '\\' ? 2 : 1;
  return at;
}
