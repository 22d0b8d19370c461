import type { Random } from '../../kube/clock.ts';
import { configError } from '../corefile/config-error.ts';
import type { Directive } from '../corefile/parse-corefile.ts';
import { readArguments, readChoice, readOptions } from '../corefile/read-options.ts';
import type { DnsRequest } from '../server/dns-request.ts';
import type { Reply } from '../server/reply.ts';
import { type IpNet, ipNetContains, parseIpNet } from '../wire/ip-net.ts';
import { Rcode } from '../wire/rcode.ts';
import type { ResourceRecord } from '../wire/record.ts';
import { RecordType } from '../wire/record-type.ts';
import { once } from './once.ts';
import type { Handler, Plugin, PluginEnvironment } from './plugin.ts';

/** loadbalance: puts A, AAAA and MX records in uniformly random order, on option those of preferred networks first. */
export function loadbalancePlugin(directives: readonly Directive[], { random }: PluginEnvironment): readonly Plugin[] {
  const directive = once(directives);
  const prefer: IpNet[] = [];
  readArguments(directive, 0, 1);
  if (directive.args[0] !== undefined) readChoice(directive.args[0], ['round_robin']);
  readOptions(directive, {
    prefer: (line) => {
      for (const token of line.args) {
        const net = parseIpNet(token.text);
        if (net === undefined) throw configError(token, `invalid CIDR "${token.text}"`);
        prefer.push(net);
      }
    },
  });
  const order = (records: readonly ResourceRecord[]): readonly ResourceRecord[] => {
    const shuffled = shuffleRecords(records, random);
    return prefer.length === 0 ? shuffled : preferRecords(shuffled, prefer);
  };
  const shuffle = (reply: Reply): Reply => (isShuffled(reply) ? reorder(reply, order) : reply);
  return [
    {
      name: 'loadbalance',
      shuffles: true,
      leavesAlone: () => prefer.length === 0,
      handle: (request: DnsRequest, next: Handler) => {
        if (request.question.type === RecordType.AXFR || request.question.type === RecordType.IXFR)
          return next(request);
        const reply = next(request);
        return reply instanceof Promise ? reply.then(shuffle) : shuffle(reply);
      },
    },
  ];
}

/** CNAME records, then the rest, then addresses, then MX; the last two in random order. */
export function shuffleRecords(records: readonly ResourceRecord[], random: Random): readonly ResourceRecord[] {
  if (records.length < 2) return records;
  const { cname, rest, address, mx } = sortByKind(records);
  return [...cname, ...rest, ...shuffled(address, random), ...shuffled(mx, random)];
}

function isShuffled(reply: Reply): boolean {
  return reply.written && reply.rcode === Rcode.NOERROR;
}

function reorder(reply: Reply, order: (records: readonly ResourceRecord[]) => readonly ResourceRecord[]): Reply {
  const { answer, authority, additional } = reply;
  return { ...reply, answer: order(answer), authority: order(authority), additional: order(additional) };
}

function sortByKind(records: readonly ResourceRecord[]): Record<'cname' | 'rest' | 'address' | 'mx', ResourceRecord[]> {
  const kinds = { cname: [], rest: [], address: [], mx: [] } as Record<
    'cname' | 'rest' | 'address' | 'mx',
    ResourceRecord[]
  >;
  for (const record of records) kinds[kindOf(record)].push(record);
  return kinds;
}

function kindOf({ type }: ResourceRecord): 'cname' | 'rest' | 'address' | 'mx' {
  if (type === RecordType.CNAME) return 'cname';
  if (type === RecordType.A || type === RecordType.AAAA) return 'address';
  return type === RecordType.MX ? 'mx' : 'rest';
}

function preferRecords(records: readonly ResourceRecord[], nets: readonly IpNet[]): readonly ResourceRecord[] {
  const { cname, rest, address, mx } = sortByKind(records);
  const rank = ({ rdata }: ResourceRecord): number => {
    const index = nets.findIndex((net) => ipNetContains(net, rdata));
    return index === -1 ? nets.length : index;
  };
  return [...cname, ...address.sort((a, b) => rank(a) - rank(b)), ...mx, ...rest];
}

function shuffled<T>(items: T[], random: Random): T[] {
  for (let i = items.length - 1; i > 0; i--) {
    const j = Math.floor(random() * (i + 1));
    const item = items[i]!;
    items[i] = items[j]!;
    items[j] = item;
  }
  return items;
}
