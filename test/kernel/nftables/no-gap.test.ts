import { once } from 'node:events';
import { afterEach, describe, expect, it } from 'vitest';
import { NetworkNamespace } from '../../../src/kernel/network-namespace.ts';
import { startProgram } from '../../../src/kernel/programs.ts';
import { createNftRunner } from '../../../src/kernel/runners/nft-runner.ts';
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

async function startRewriting(netns: NetworkNamespace, options: Omit<RewriteRules, 'endpoints'>) {
  const words = JSON.stringify({ endpoints: ENDPOINTS, ...options } satisfies RewriteRules);
  const program = startProgram({ netns, command: [process.execPath, PROGRAM, words] });
  program.stderr.pipe(process.stderr, { end: false });
  await once(program.stdout, 'data');
  return program;
}

/** Sends new connections all the time while a program changes the rules; resolves with those that failed. */
async function failedWhile(options: Omit<RewriteRules, 'endpoints'>) {
  const lab = stack.use(await PacketLab.create('node-1', LAB));
  const program = await startRewriting(lab.node, options);
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

it('who is killed while he rewrites the table leaves one, and no other', async () => {
  await using netns = NetworkNamespace.create('node-1');
  const nft = createNftRunner(netns);
  for (let kill = 0; kill < 5; kill++) {
    const options = { whole: true, rounds: 1_000_000, inlineLimit: 0, others: 200, service: SERVICE };
    const program = await startRewriting(netns, options);
    const standsIn = async () => (await nft.listTable('ip', 'kube-proxy-stand-in')) !== undefined;
    await expect.poll(standsIn, { interval: 1, timeout: 10_000 }).toBe(true);
    program.kill('SIGKILL');
    await program.exited;
    expect(await standsIn()).toBe(false);
    expect(await nft.listTable('ip', 'kube-proxy')).toContain('other199');
  }
});
