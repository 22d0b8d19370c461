import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { afterAll, describe, expect, it } from 'vitest';
import { createCluster, findCluster } from '../../../src/index.ts';
import type { ConfigMap } from '../../../src/kube/generated/types.ts';
import { allProcesses, processesOf, readHostState } from '../../helpers/host-state.ts';

const launcher = new URL('../../../towtank', import.meta.url).pathname;
const stateRoot = mkdtempSync(join(tmpdir(), 'tt-'));
afterAll(() => rmSync(stateRoot, { recursive: true, force: true }));
const pids = (name: string): { outerPid: number; innerPid: number } =>
  JSON.parse(readFileSync(join(stateRoot, 'clusters', name, 'cluster.json'), 'utf8'));

async function untilGone(processes: readonly number[]): Promise<void> {
  await expect.poll(() => processes.filter((pid) => allProcesses().includes(pid)), { interval: 5 }).toEqual([]);
}

const sleeper =
  '{apiVersion: v1, kind: Pod, metadata: {name: sleeper}, spec: {containers: [{name: c, image: busybox, command: [sleep, "1000"]}]}}';

describe('the life of a cluster', () => {
  it('leaves the machine as it was', async () => {
    const before = readHostState();
    {
      await using cluster = await createCluster({ nodes: 2, stateRoot });
      await cluster.apply(sleeper);
      await cluster.wait({ resource: 'pods', name: 'sleeper', for: 'Ready' });
      expect(readHostState()).toEqual(before);
    }
    expect(readHostState()).toEqual(before);
    expect(readdirSync(join(stateRoot, 'clusters'))).toEqual([]);
  });

  it.each(['innerPid', 'outerPid'] as const)('kill -9 of its %s leaves no process', async (which) => {
    const name = `kill-${which.toLowerCase()}`;
    const cluster = await createCluster({ name, nodes: 2, stateRoot });
    await cluster.apply(sleeper);
    await cluster.wait({ resource: 'pods', name: 'sleeper', for: 'Ready' });
    const { innerPid, outerPid } = pids(name);
    const processes = [outerPid, ...processesOf(innerPid)];
    expect(processes.length).toBeGreaterThanOrEqual(3);
    process.kill(which === 'innerPid' ? innerPid : outerPid, 'SIGKILL');
    await untilGone(processes);
    expect(() => findCluster(name, stateRoot)).toThrow('no cluster named');
    expect(readdirSync(join(stateRoot, 'clusters'))).toEqual([]);
  });

  it('ends with the process that made it, even when that is killed', async () => {
    const script = `
      import { createCluster } from ${JSON.stringify(new URL('../../../src/index.ts', import.meta.url).pathname)};
      const cluster = await createCluster({ name: 'orphan', nodes: 1, stateRoot: ${JSON.stringify(stateRoot)} });
      process.stdout.write('ready');
      setInterval(() => {}, 1000);`;
    const owner = spawn(process.execPath, ['--input-type=module', '-e', script], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    await once(owner.stdout, 'data');
    const { innerPid } = pids('orphan');
    const processes = processesOf(innerPid);
    owner.kill('SIGKILL');
    await untilGone(processes);
    expect(readdirSync(join(stateRoot, 'clusters'))).toEqual([]);
  });

  it.each([
    ['SIGINT', /interrupted before the cluster was ready/, []],
    ['SIGKILL', /^$/, ['cut']],
  ] as const)(
    'ends when its start is ended by %s, and leaves what a crash leaves at most',
    async (signal, says, left) => {
      const env = { ...process.env, TOWTANK_STATE_DIR: stateRoot };
      const up = spawn(launcher, ['up', '--name', 'cut'], { env, stdio: ['ignore', 'ignore', 'pipe'] });
      const ended = once(up, 'exit');
      const told = text(up.stderr);
      await expect
        .poll(() => existsSync(join(stateRoot, 'clusters', 'cut', 'cluster.json')), { interval: 2 })
        .toBe(true);
      const { innerPid, outerPid } = pids('cut');
      const processes = [outerPid, ...processesOf(innerPid)];
      // It cannot become ready meanwhile.
      for (const pid of processesOf(innerPid)) process.kill(pid, 'SIGSTOP');
      up.kill(signal);
      await ended;
      expect(await told).toMatch(says);
      if (signal === 'SIGKILL') for (const pid of processesOf(innerPid)) process.kill(pid, 'SIGCONT');
      await untilGone(processes);
      expect(() => findCluster('cut', stateRoot)).toThrow('no cluster named');
      expect(readdirSync(join(stateRoot, 'clusters'))).toEqual(left);
      rmSync(join(stateRoot, 'clusters', 'cut'), { recursive: true, force: true });
    },
  );

  it('two clusters run side by side, with the same addresses and different answers', async () => {
    await using one = await createCluster({ nodes: 1, stateRoot });
    await using two = await createCluster({ nodes: 1, stateRoot });
    await Promise.all(
      [one, two].map((cluster, index) =>
        cluster.apply(`{apiVersion: v1, kind: ConfigMap, metadata: {name: who}, data: {name: "${index}"}}`),
      ),
    );
    const names = await Promise.all(
      [one, two].map(async (cluster) => (await cluster.get<ConfigMap>('configmaps', 'who', 'default')).data?.['name']),
    );
    expect(names).toEqual(['0', '1']);
    expect((await one.status()).nodes[0]?.addresses).toEqual((await two.status()).nodes[0]?.addresses);
  });

  it('refuses a name that is taken, and the running cluster goes on', async () => {
    await using cluster = await createCluster({ name: 'taken', nodes: 1, stateRoot });
    await expect(createCluster({ name: 'taken', nodes: 1, stateRoot })).rejects.toMatchObject({
      code: 'ERR_CLUSTER_EXISTS',
    });
    expect((await cluster.status()).nodes).toHaveLength(1);
  });

  it('says why it could not start and leaves nothing', async () => {
    const failing = createCluster({
      name: 'bad',
      spec: { network: { podCIDRs: { IPv4: '172.18.0.0/15' } } },
      stateRoot,
    });
    await expect(failing).rejects.toMatchObject({
      code: 'ERR_INVALID_CONFIG',
      message: expect.stringContaining('spec.network.podCIDRs.IPv4'),
    });
    expect(readdirSync(join(stateRoot, 'clusters'))).toEqual([]);
  });

  it('refuses a manifest that is none before it counts as ready', async () => {
    const failing = createCluster({ name: 'bad', nodes: 1, manifests: ['kind: Pod'], stateRoot });
    await expect(failing).rejects.toMatchObject({
      code: 'ERR_INVALID_MANIFEST',
      message: 'the manifest (Pod) has no apiVersion',
    });
  });
});
