// Runs every suite and ends with one line over all of them. `npm test -- unit kernel` runs only the suites named.
import { type StdioOptions, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import {
  accessSync,
  closeSync,
  constants,
  cpSync,
  existsSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { SuiteCount } from './count-reporter.ts';

const root = new URL('..', import.meta.url).pathname.replace(/\/$/, '');
const scratch = mkdtempSync(join(tmpdir(), 'towtank-test-'));
const temporary = [scratch];
const isRoot = process.getuid?.() === 0;
const NOBODY = 65534;

interface Suite {
  readonly name: string;
  readonly what: string;
  /** A tool counts as one test; vitest suites count their own. */
  readonly counts: 'tool' | 'vitest';
  readonly command: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
}

// Scenarios compare the mounts of this machine before and after: whatever else makes clusters or containers on it has its own turn.
const oneAtATime = ['scenarios', 'container', 'rootless-scenarios', 'docs'];
// The longest first, so that no core idles at the end.
const order = ['kernel', 'scenarios', 'conformance', 'container', 'rootless-kernel', 'rootless-scenarios', 'docs'];

// What an ordinary user does not repeat: where neither our code nor the kernel asks who runs it (how a rule judges a packet, what
// an answer of DNS or of the API says), and where a test gives up all privileges itself. The paths of an ordinary user are
// sandboxes, pods, sysctls, mounts, limits of sockets and pipes, and each way in which a proxy reaches the kernel.
const whoeverRunsIt = {
  kernel: [
    'test/kernel/dns/**',
    'test/kernel/store/**',
    'test/kernel/*/vector-packets.test.ts',
    'test/kernel/*/evaluator-agrees.test.ts',
    'test/kernel/*/kube-proxy-differential.test.ts',
    'test/kernel/nftables/netlink-equals-program.test.ts',
    'test/kernel/proxy/host-take-over.test.ts',
    'test/kernel/proxy/host-rolling-update.test.ts',
  ],
  scenarios: [
    'test/scenarios/sig-network/**',
    'test/scenarios/loopback/**',
    'test/scenarios/cluster-dns/**',
    'test/scenarios/rolling-update/**',
    'test/scenarios/kubectl/**',
    'test/scenarios/client-library/**',
    'test/scenarios/offline/**',
    'test/scenarios/command-line/installed-package.test.ts',
  ],
} as const;

const bin = (name: string, folder = root): string => join(folder, 'node_modules/.bin', name);
// A copy of the checkout has its own Node: an ordinary user cannot start one that lies in the folder of root.
const nodeIn = (folder: string): string => {
  const own = 'node_modules/node/bin/node';
  return existsSync(join(root, own)) ? join(folder, own) : process.execPath;
};
const vitest = (project: string, folder = root, exclude: readonly string[] = []): readonly string[] => [
  nodeIn(folder),
  bin('vitest', folder),
  'run',
  // Without writing beside the packages: an ordinary user may run the tests of a checkout that is not theirs.
  '--configLoader=native',
  '--project',
  project,
  '--reporter=default',
  `--reporter=${folder}/scripts/count-reporter.ts`,
  ...exclude.map((pattern) => `--exclude=${pattern}`),
];

// A private user (when not root), mount, pid and network namespace: whatever a test makes goes with it.
function sandboxed(command: readonly string[], asRoot: boolean): readonly string[] {
  const prepare =
    'mount --make-rprivate / && mount -t tmpfs tmpfs /run && mkdir -p /run/netns && mount -t sysfs sysfs /sys && exec "$@"';
  const user = asRoot ? [] : ['--user', '--map-root-user'];
  return [
    'unshare',
    ...user,
    '--net',
    '--mount',
    '--pid',
    '--fork',
    '--kill-child',
    '--mount-proc',
    'sh',
    '-c',
    prepare,
    'sh',
    ...command,
  ];
}

const suites: Suite[] = [
  { name: 'lint', what: 'Biome', counts: 'tool', command: [bin('biome'), 'check', '--error-on-warnings', '.'] },
  {
    name: 'types',
    what: 'TypeScript',
    counts: 'tool',
    command: [process.execPath, join(root, 'node_modules/typescript7/bin/tsc'), '-p', root],
  },
  { name: 'doors', what: 'who may import whom', counts: 'tool', command: [process.execPath, bin('depcruise'), 'src'] },
  { name: 'knip', what: 'nothing unused', counts: 'tool', command: [process.execPath, bin('knip')] },
  { name: 'unit', what: 'pure rooms', counts: 'vitest', command: vitest('unit') },
  {
    name: 'kernel',
    what: 'real packets in own namespaces',
    counts: 'vitest',
    command: sandboxed(vitest('kernel'), isRoot),
  },
  {
    name: 'conformance',
    what: 'vectors, store engines, real clients',
    counts: 'vitest',
    command: vitest('conformance'),
  },
  { name: 'scenarios', what: 'whole clusters', counts: 'vitest', command: vitest('scenarios') },
  { name: 'docs', what: 'the code in README and docs', counts: 'vitest', command: vitest('docs') },
  {
    name: 'container',
    what: 'the container image, with exact privileges',
    counts: 'vitest',
    command: vitest('container'),
  },
];

if (isRoot) {
  const folder = folderOfOrdinaryUser();
  const home = mkdtempSync(join(tmpdir(), 'towtank-home-'));
  temporary.push(home);
  spawnSync('chown', ['-R', `${NOBODY}:${NOBODY}`, home]);
  const drop = ['setpriv', `--reuid=${NOBODY}`, `--regid=${NOBODY}`, '--clear-groups', '--no-new-privs'];
  const env = {
    HOME: home,
    TMPDIR: home,
    XDG_STATE_HOME: join(home, 'state'),
    TOWTANK_STATE_DIR: '',
    USER: 'nobody',
    NODE_COMPILE_CACHE: join(home, 'compile-cache'),
    PATH: (process.env['PATH'] ?? '').replaceAll(`${root}/`, `${folder}/`),
  };
  for (const name of ['kernel', 'scenarios'] as const) {
    const tests = vitest(name, folder, whoeverRunsIt[name]);
    const command = name === 'kernel' ? sandboxed(tests, false) : tests;
    suites.push({
      name: `rootless-${name}`,
      what: `${name} as an ordinary user, where that may differ`,
      counts: 'vitest',
      command: [...drop, ...command],
      env: { ...env, TOWTANK_TEST_SUMMARY: join(home, `summary-${name}`) },
      cwd: folder,
    });
  }
}

/** The checkout, or an empty folder for a copy of it where an ordinary user cannot read it (CI often checks out below /root). */
function folderOfOrdinaryUser(): string {
  const readable = spawnSync('setpriv', [
    `--reuid=${NOBODY}`,
    `--regid=${NOBODY}`,
    '--clear-groups',
    'test',
    '-r',
    join(root, 'package.json'),
  ]);
  if (readable.status === 0) return root;
  const copy = mkdtempSync(join(tmpdir(), 'towtank-copy-'));
  temporary.push(copy);
  return copy;
}

// When the peers of the tests are there too.
function copyCheckout(folder: string): void {
  cpSync(root, folder, {
    recursive: true,
    verbatimSymlinks: true,
    filter: (path) => !path.startsWith(join(root, '.git')),
  });
  spawnSync('chmod', ['-R', 'a+rX', folder]);
}

/** Runs a suite; its output goes to the terminal, or into the file. */
async function run(suite: Suite, output?: string): Promise<SuiteResult> {
  const started = performance.now();
  const summary = suite.env?.['TOWTANK_TEST_SUMMARY'] ?? join(scratch, `summary-${suite.name}`);
  rmSync(summary, { force: true });
  if (output === undefined) process.stdout.write(headOf(suite));
  const [program = '', ...args] = suite.command;
  const env: NodeJS.ProcessEnv = {
    ...process.env,
    TOWTANK_TEST_SUMMARY: summary,
    // Some hundred clusters and proxies start from the same sources.
    NODE_COMPILE_CACHE: join(scratch, 'compile-cache'),
    ...suite.env,
  };
  if (env['TOWTANK_STATE_DIR'] === '') delete env['TOWTANK_STATE_DIR'];
  const file = output === undefined ? undefined : openSync(output, 'w');
  const stdio: StdioOptions = file === undefined ? 'inherit' : ['ignore', file, file];
  const child = spawn(program, args, { cwd: suite.cwd ?? root, stdio, env });
  const [status] = (await once(child, 'close')) as [number | null];
  if (file !== undefined) closeSync(file);
  const seconds = ((performance.now() - started) / 1000).toFixed(1);
  const count = suite.counts === 'tool' ? toolCount(status) : vitestCount(summary, status);
  const foot = `── ${suite.name}: ${count.passed} passed, ${count.failed} failed, ${skippedIn(count)} skipped in ${seconds} s\n`;
  if (output === undefined) process.stdout.write(foot);
  return { suite, count, report: output === undefined ? '' : `${headOf(suite)}${readFileSync(output, 'utf8')}${foot}` };
}

interface SuiteResult {
  readonly suite: Suite;
  readonly count: SuiteCount;
  /** What is still to be printed of it. */
  readonly report: string;
}

function headOf({ name, what }: Suite): string {
  return `\n── ${name}: ${what}\n`;
}

// Waits for the network, and the quick suites need none of it. The script says what cannot be had; its tests are skipped then.
async function fetchPeers(suites: readonly Suite[]): Promise<void> {
  const words = [join(root, 'scripts/test-peers.sh'), ...suites.map(({ name }) => name)];
  await once(spawn('sh', words, { stdio: ['ignore', 'inherit', 'inherit'] }), 'close');
}

/** Two suites at a time, since most wait as much as they work: one prints as it goes, the other when the first is done with one. */
async function runAll(chosen: readonly Suite[]): Promise<readonly SuiteResult[]> {
  const results: SuiteResult[] = [];
  const waiting: SuiteResult[] = [];
  const left = chosen
    .filter(({ name }) => order.includes(name))
    .sort((a, b) => order.indexOf(a.name) - order.indexOf(b.name));
  const fetched = left.length > 0 ? fetchPeers(left) : undefined;
  for (const suite of chosen.filter(({ name }) => !order.includes(name))) results.push(await run(suite));
  await fetched;
  const copy = left.find(({ cwd = root }) => cwd !== root)?.cwd;
  if (copy !== undefined) copyCheckout(copy);
  const running = new Map<Suite, Promise<unknown>>();
  const isFree = ({ name }: Suite): boolean =>
    !oneAtATime.includes(name) || ![...running.keys()].some((other) => oneAtATime.includes(other.name));
  const print = (): void => {
    for (const result of waiting.splice(0)) {
      process.stdout.write(result.report);
      results.push(result);
    }
  };
  const work = async (isShown: boolean): Promise<void> => {
    while (left.length > 0) {
      const next = left.findIndex(isFree);
      if (next === -1) await Promise.race(running.values());
      else {
        const [suite] = left.splice(next, 1) as [Suite];
        const result = run(suite, isShown ? undefined : join(scratch, `output-${suite.name}`));
        running.set(suite, result);
        (isShown ? results : waiting).push(await result);
        running.delete(suite);
      }
      if (isShown) print();
    }
  };
  await Promise.all([work(true), work(false)]);
  print();
  return results;
}

function toolCount(status: number | null): SuiteCount {
  return { passed: status === 0 ? 1 : 0, failed: status === 0 ? 0 : 1, failures: [], skipped: [] };
}

function vitestCount(summary: string, status: number | null): SuiteCount {
  let count: SuiteCount = { passed: 0, failed: 0, failures: [], skipped: [] };
  try {
    accessSync(summary, constants.R_OK);
    count = JSON.parse(readFileSync(summary, 'utf8')) as SuiteCount;
  } catch {
    // No summary: the runner did not get as far as its tests, which the exit status below counts as a failure.
    return { passed: 0, failed: 1, failures: ['the runner ended before its tests'], skipped: [] };
  }
  return status === 0 || count.failed > 0 ? count : { ...count, failed: 1 };
}

function skippedIn({ skipped }: SuiteCount): number {
  return skipped.reduce((sum, { count }) => sum + count, 0);
}

// One broken thing may fail a hundred tests.
function shortened(failures: readonly string[], most = 8): readonly string[] {
  return failures.length <= most ? failures : [...failures.slice(0, most), `and ${failures.length - most} more`];
}

const wanted = process.argv.slice(2).filter((word) => !word.startsWith('-'));
const unknown = wanted.filter((name) => !suites.some((suite) => suite.name === name));
if (unknown.length > 0) {
  process.stderr.write(
    `unknown suite: ${unknown.join(', ')}; there are ${suites.map((suite) => suite.name).join(', ')}\n`,
  );
  process.exit(2);
}
const counts = await runAll(suites.filter(({ name }) => wanted.length === 0 || wanted.includes(name)));
for (const folder of temporary) rmSync(folder, { recursive: true, force: true });

process.stdout.write('\n');
for (const { suite, count } of counts)
  for (const { title, reason, count: tests } of count.skipped)
    process.stdout.write(`skipped (${suite.name}) ${tests}: ${reason}; as in ${title}\n`);
for (const { suite, count } of counts)
  if (count.failed > 0) process.stdout.write(`FAILED: ${[suite.name, ...shortened(count.failures)].join('\n  ')}\n`);
const total = (of: (count: SuiteCount) => number): number => counts.reduce((sum, { count }) => sum + of(count), 0);
const failed = total((count) => count.failed);
process.stdout.write(`${total((count) => count.passed)} passed, ${failed} failed, ${total(skippedIn)} skipped\n`);
process.exitCode = failed > 0 ? 1 : 0;
