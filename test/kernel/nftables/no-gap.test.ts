import { once } from 'node:events';
import { afterEach, describe, expect, it } from 'vitest';
import { startProgram } from '../../../src/kernel/programs.ts';
import { leaveNothing } from '../../helpers/leak-check.ts';
import { PacketLab } from '../../helpers/packet-lab.ts';
import { LAB } from '../../helpers/proxy-node.ts';
import type { RewriteRules } from '../../helpers/rewrite-rules.ts';

leaveNothing();

let stack = new AsyncDisposableStack();
afterEach(async () => {
  await stack.disposeAsync();
  stack = new AsyncDisposableStack();
});

const ENDPOINTS = [['10.244.0.2', '10.244.0.3'], ['10.244.0.3'], ['10.244.0.2']];
const SERVICE = { clusterIP: '10.96.0.10', nodePort: 30_080 };
const TARGETS = [
  { from: 'pod', source: '10.244.0.9', destination: '10.96.0.10', port: 80 },
  { from: 'external', source: '192.0.2.7', destination: '172.18.0.2', port: 30_080 },
] as const;

const PROGRAM = new URL('../../helpers/rewrite-rules.ts', import.meta.url).pathname;

/** Sends new connections all the time while a program changes the rules; resolves with those that failed. */
async function failedWhile(options: Omit<RewriteRules, 'endpoints'>) {
  const lab = stack.use(await PacketLab.create('node-1', LAB));
  const words = JSON.stringify({ endpoints: ENDPOINTS, ...options } satisfies RewriteRules);
  const program = startProgram({ netns: lab.node, command: [process.execPath, PROGRAM, words] });
  program.stderr.pipe(process.stderr, { end: false });
  await once(program.stdout, 'data');
  const traffic = lab.keepSending([...TARGETS, ...TARGETS, ...TARGETS, ...TARGETS]);
  expect(await program.exited).toMatchObject({ exitCode: 0 });
  const outcomes = await traffic.stop();
  expect(outcomes.length).toBeGreaterThan(500);
  return outcomes.filter(({ kind }) => kind !== 'answered');
}

describe.each([
  { form: 'in the rules', inlineLimit: 500, others: 20 },
  { form: 'in shared maps', inlineLimit: 0, others: 200 },
])('with endpoints $form, no connection fails', ({ inlineLimit, others }) => {
  it.each([
    { what: 'at random', service: SERVICE },
    { what: 'in turn', service: { ...SERVICE, balancing: 'round-robin' as const } },
    { what: 'with session affinity', service: { ...SERVICE, affinitySeconds: 10 } },
  ])('while endpoints that are chosen $what change', async ({ service }) => {
    expect(await failedWhile({ whole: false, rounds: 800, inlineLimit, others, service })).toEqual([]);
  });

  it('while the table is rewritten', async () => {
    const rounds = inlineLimit === 0 ? 60 : 400;
    expect(await failedWhile({ whole: true, rounds, inlineLimit, others, service: SERVICE })).toEqual([]);
  });
});
