import { spawnSync } from 'node:child_process';
import { UserError } from '../../errors/towtank-error.ts';
import {
  EACCES,
  EADDRNOTAVAIL,
  EEXIST,
  EINVAL,
  ENETUNREACH,
  ENODEV,
  ENOENT,
  EOPNOTSUPP,
  EPERM,
  ESRCH,
} from '../ffi/constants.ts';
import type { NetworkNamespace } from '../network-namespace.ts';
import { administratorSearchPath, findExecutable } from '../programs/find-executable.ts';
import { type BatchProgram, batchProgram, printBatch } from './ip-batch-text.ts';
import { isAbsent, type Refusal, refusalError } from './operation-outcome.ts';
import type { LinkOperation, LinkOperations } from './operations.ts';

/** Carries operations out with the programs of iproute2: milliseconds instead of microseconds, but nothing beside them is needed. */
export const ipBatchLinks: LinkOperations = {
  apply(netns, operations) {
    for (const { program, run } of groupByProgram(operations)) runBatch(netns, program, run);
  },
};

interface Line {
  readonly operation: LinkOperation;
  readonly text: string;
}

// The order of operations matters, so only neighbours are put together.
function groupByProgram(
  operations: readonly LinkOperation[],
): { readonly program: BatchProgram; readonly run: Line[] }[] {
  const groups: { program: BatchProgram; run: Line[] }[] = [];
  for (const operation of operations) {
    const program = batchProgram(operation);
    if (groups.at(-1)?.program !== program) groups.push({ program, run: [] });
    groups.at(-1)!.run.push(...printBatch(operation).map((text) => ({ operation, text })));
  }
  return groups;
}

// With -force every line is tried, as rtnetlink does, and each failure is told with the number of its line.
function runBatch(netns: NetworkNamespace, program: BatchProgram, lines: readonly Line[]): void {
  const [name = 'ip', ...options] = program.split(' ');
  const words = [`--net=${netns.path}`, executable(name), ...options, '-force', '-batch', '-'];
  const input = lines.map(({ text }) => `${text}\n`).join('');
  const result = spawnSync(executable('nsenter'), words, { input, env: { LC_ALL: 'C' }, encoding: 'utf8' });
  if (result.error !== undefined) throw result.error;
  const refusals = parseRefusals(result.stderr);
  for (const [number, refusal] of refusals) {
    const operation = lines[number - 1]?.operation;
    if (operation !== undefined && !isAbsent(operation, refusal.errno)) throw refusalError(netns, operation, refusal);
  }
  if (result.status !== 0 && refusals.size === 0) {
    throw refusalError(netns, lines[0]!.operation, { errno: EINVAL, explanation: result.stderr.trim() });
  }
}

/** Reads which lines of a batch failed and why from what iproute2 printed. */
export function parseRefusals(stderr: string): ReadonlyMap<number, Refusal> {
  const refusals = new Map<number, Refusal>();
  let words: string[] = [];
  for (const line of stderr.split('\n')) {
    const failed = /^Command failed -:(\d+)$/.exec(line);
    if (failed === null) {
      words.push(line);
      continue;
    }
    const explanation = words
      .join(' ')
      .replace(/^(RTNETLINK answers|Error): /, '')
      .trim();
    refusals.set(Number(failed[1]), { errno: errnoOf(explanation), explanation });
    words = [];
  }
  return refusals;
}

const errnoByWords: readonly (readonly [RegExp, number])[] = [
  [/no such process/i, ESRCH],
  [/cannot find device|no such device/i, ENODEV],
  [/no such file|not found|does not exist/i, ENOENT],
  [/cannot assign requested address/i, EADDRNOTAVAIL],
  [/file exists|already (assigned|exists)/i, EEXIST],
  [/not supported|unknown device type/i, EOPNOTSUPP],
  [/network is unreachable|invalid gateway/i, ENETUNREACH],
  [/permission denied|is disabled/i, EACCES],
  [/not permitted/i, EPERM],
];

function errnoOf(explanation: string): number {
  return errnoByWords.find(([words]) => words.test(explanation))?.[1] ?? EINVAL;
}

function executable(name: string): string {
  try {
    return findExecutable(name, administratorSearchPath(), '/');
  } catch (cause) {
    const hint = `install the package ${name === 'nsenter' ? 'util-linux' : 'iproute2'}`;
    throw new UserError({ code: 'ERR_MISSING_PROGRAM', message: `the program ${name} is missing`, hint, cause });
  }
}
