import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { afterAll, beforeAll } from 'vitest';
import { NetworkNamespace } from '../../src/kernel/network-namespace.ts';

/** What a kernel test must leave as it found it, a line per thing. */
interface Belongings {
  readonly namespaces: readonly string[];
  readonly links: readonly string[];
  readonly processes: readonly string[];
  readonly mounts: readonly string[];
  readonly descriptors: readonly string[];
}

const deadlineMs = 30_000;
const pauseMs = 20;

/**
 * Remembers the namespaces, links of the root namespace, processes, mounts and descriptors that exist now, and at its
 * disposal rejects, naming them, if there are others: `await using _ = leakCheck()`. The kernel and libuv clean up in their own
 * time, so it waits up to half a minute for things to go.
 */
export function leakCheck(): AsyncDisposable {
  // Opens its descriptor once, for the life of the process.
  NetworkNamespace.current();
  const before = takeStock();
  const finish = async (): Promise<void> => {
    const deadline = Date.now() + deadlineMs;
    let left = difference(before, takeStock());
    while (left.length > 0 && Date.now() < deadline) {
      await new Promise((resolve) => setTimeout(resolve, pauseMs));
      left = difference(before, takeStock());
    }
    if (left.length > 0) throw new Error(`left behind:\n${left.join('\n')}`);
  };
  return { [Symbol.asyncDispose]: finish };
}

/** Has the tests of this file or `describe` leave nothing behind. Called before all hooks, for then it looks after all of them. */
export function leaveNothing(): void {
  let leaks: AsyncDisposable;
  beforeAll(() => {
    leaks = leakCheck();
  });
  afterAll(() => leaks[Symbol.asyncDispose]());
}

function takeStock(): Belongings {
  return {
    namespaces: list('/run/netns'),
    links: readFileSync('/proc/net/dev', 'utf8')
      .split('\n')
      .slice(2)
      .map((line) => line.split(':')[0]!.trim()),
    processes: processes(),
    mounts: readFileSync('/proc/self/mountinfo', 'utf8')
      .split('\n')
      .map((line) => line.split(' ')[4] ?? ''),
    descriptors: descriptors(),
  };
}

function list(directory: string): string[] {
  try {
    return readdirSync(directory);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw error;
  }
}

// The test runner is pid 1 of the kernel suite's pid namespace and buries no orphans: dead ones of its are left out.
function processes(): string[] {
  return list('/proc')
    .filter((entry) => /^\d+$/.test(entry))
    .map((pid) => readOrGone(() => readFileSync(`/proc/${pid}/stat`, 'latin1')))
    .filter((stat) => stat !== 'gone' && !/\) Z 1 /.test(stat))
    .map((stat) => stat.slice(0, stat.lastIndexOf(')') + 1));
}

// Numbers of descriptors are reused, and files and pipes belong to the test runner: kinds are compared.
function descriptors(): string[] {
  return list('/proc/self/fd')
    .map((fd) => readOrGone(() => readlinkSync(`/proc/self/fd/${fd}`)))
    .filter((target) => /^(net|mnt|uts|pid|socket):|^\/dev\/(ptmx|pts)/.test(target))
    .map((target) => target.replace(/:\[\d+\]/, ''));
}

function readOrGone(read: () => string): string {
  try {
    return read();
  } catch {
    return 'gone';
  }
}

function difference(before: Belongings, after: Belongings): string[] {
  return (Object.keys(before) as (keyof Belongings)[]).flatMap((kind) => {
    const known = [...before[kind]];
    return after[kind].flatMap((thing) => {
      const at = known.indexOf(thing);
      if (at === -1) return [`${kind}: ${thing}`];
      known.splice(at, 1);
      return [];
    });
  });
}
