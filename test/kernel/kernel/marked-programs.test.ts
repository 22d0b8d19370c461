import { once } from 'node:events';
import { describe, expect, it } from 'vitest';
import { killMarked, markOf, markVariable } from '../../../src/kernel/loopback/marked-programs.ts';
import { NetworkNamespace } from '../../../src/kernel/network-namespace.ts';
import { type RunningProgram, startProgram } from '../../../src/kernel/programs.ts';

const cluster = `towtank-test-${process.pid}@1`;

// Its child leaves the group and session of its parent.
async function start(mark: string): Promise<RunningProgram> {
  const environment = { [markVariable]: mark };
  const netns = NetworkNamespace.share('place', {
    addresses: ['127.64.0.2'],
    loopback: { firstPort: 0, namesObstacle: undefined, environment },
  });
  const program = startProgram({ netns, command: ['sh', '-c', 'setsid sleep 1000 & echo runs; wait'] });
  await once(program.stdout, 'data');
  return program;
}

describe('programs that are known by a mark', () => {
  it('end with their place, also those that left their parents, and no others', async () => {
    const [one, ten] = [await start(markOf(cluster, 'pod-1')), await start(markOf(cluster, 'pod-10'))];
    killMarked(cluster, 'pod-1');
    expect(await one.exited).toMatchObject({ signal: 'SIGKILL' });
    // Whatever held its output is gone too.
    await once(one.stdout, 'close');
    expect(ten.pid).toSatisfy((pid: number) => process.kill(pid, 0));
    killMarked(cluster);
    expect(await ten.exited).toMatchObject({ signal: 'SIGKILL' });
    await once(ten.stdout, 'close');
  });
});
