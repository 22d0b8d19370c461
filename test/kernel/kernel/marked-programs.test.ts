import { once } from 'node:events';
import { describe, expect, it } from 'vitest';
import { killMarked, markOf, markVariable } from '../../../src/kernel/loopback/marked-programs.ts';
import { NetworkNamespace } from '../../../src/kernel/network-namespace.ts';
import { type RunningProgram, startProgram } from '../../../src/kernel/programs.ts';

const cluster = `towtank-test-${process.pid}@1`;

interface Started {
  readonly program: RunningProgram;
  /** Resolves when whatever held its output is gone; told but once, maybe before its end is. */
  readonly released: Promise<unknown>;
}

// Its child leaves the group and session of its parent.
async function start(mark: string): Promise<Started> {
  const environment = { [markVariable]: mark };
  const netns = NetworkNamespace.share('place', {
    addresses: ['127.64.0.2'],
    loopback: { firstPort: 0, namesObstacle: undefined, environment },
  });
  const program = startProgram({ netns, command: ['sh', '-c', 'setsid sleep 1000 & echo runs; wait'] });
  const released = once(program.stdout, 'close');
  await once(program.stdout, 'data');
  return { program, released };
}

describe('programs that are known by a mark', () => {
  it('end with their place, also those that left their parents, and no others', async () => {
    const [one, ten] = [await start(markOf(cluster, 'pod-1')), await start(markOf(cluster, 'pod-10'))];
    killMarked(cluster, 'pod-1');
    expect(await one.program.exited).toMatchObject({ signal: 'SIGKILL' });
    await one.released;
    expect(ten.program.pid).toSatisfy((pid: number) => process.kill(pid, 0));
    killMarked(cluster);
    expect(await ten.program.exited).toMatchObject({ signal: 'SIGKILL' });
    await ten.released;
  });
});
