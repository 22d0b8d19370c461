import { findCluster } from '../../cluster/cluster.ts';
import type { DnsQueryAnswer, DnsQueryStep } from '../../cluster/control/protocol.ts';
import { printAs } from '../print/output.ts';
import type { Output } from '../print/output-forms.ts';
import { styled } from '../print/style.ts';
import { printTable } from '../print/table.ts';
import { parseTarget } from './options.ts';

export interface QueryOptions {
  /** A name or an address. */
  readonly word: string;
  readonly type?: string | undefined;
  readonly from: string;
  readonly name: string;
  readonly namespace: string;
  readonly library: 'glibc' | 'musl';
  readonly output: Output;
}

/** Shows how a name is resolved somewhere in a cluster; exit code 1 when it is not found. */
export async function queryDns(options: QueryOptions): Promise<number> {
  const cluster = findCluster(options.name);
  const { nodes } = await cluster.status();
  const nodeNames = nodes.map((node) => node.name);
  const place = cluster.at(parseTarget(options.from, options.namespace, nodeNames));
  const answer = await place.queryDns(options.word, { type: options.type, library: options.library });
  process.stdout.write(`${printAs(options.output, answer, () => table(answer))}\n`);
  return answer.found ? 0 : 1;
}

function table({ conf, candidates, steps, found }: DnsQueryAnswer): string {
  const rows = steps.map((step, i) => [
    String(i + 1),
    step.name,
    step.type,
    `${step.server}/${step.transport}`,
    step.outcome,
    step.why ?? '',
  ]);
  const left = candidates.length - new Set(steps.map(({ name }) => name)).size;
  return [
    `${styled('bold', 'search     ')} ${conf.search.join(' ') || '(none)'}`,
    `${styled('bold', 'options    ')} ${conf.options.join(' ') || '(none)'}`,
    `${styled('bold', 'nameservers')} ${conf.nameservers.join(' ')}`,
    '',
    printTable(['', 'QUESTION', 'TYPE', 'SERVER', 'RESULT', 'WHY'], rows),
    '',
    ...conclusion(steps, found),
    ...(left > 0 ? [styled('dim', `${left} more name(s) of the walk were not needed`)] : []),
  ].join('\n');
}

function conclusion(steps: readonly DnsQueryStep[], found: boolean): readonly string[] {
  return found ? (steps.at(-1)?.records ?? []) : [`${styled('red', '✗')} not found`];
}
