import {
  copyFileSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, describe, expect, it } from 'vitest';
import { findCluster } from '../../../src/index.ts';
import { processStartTime } from '../../../src/kernel/sandbox.ts';
import type { ConfigMap, Pod, Service } from '../../../src/kube/generated/types.ts';
import { EtcdPeer, findEtcd, NO_ETCD } from '../../helpers/etcd-peer.ts';
import { type CommandResult, runTowtank } from '../../helpers/run-towtank.ts';

const root = mkdtempSync(join(tmpdir(), 'tt-'));
const env = { TOWTANK_STATE_DIR: root };
const towtank = (...words: readonly string[]): CommandResult => runTowtank(words, env);
const folder = (name: string): string => join(root, 'clusters', name);
const file = (name: string): string => join(root, name);
const cluster = (name: string) => findCluster(name, root);

function succeed(...words: readonly string[]): string {
  const { exitCode, stdout, stderr } = towtank(...words);
  expect({ words, exitCode, stderr }).toMatchObject({ exitCode: 0 });
  return stdout;
}

async function kill(name: string): Promise<void> {
  const { innerPid, innerStartTime } = JSON.parse(readFileSync(join(folder(name), 'cluster.json'), 'utf8'));
  process.kill(innerPid, 'SIGKILL');
  await expect.poll(() => processStartTime(innerPid) === innerStartTime, { interval: 5, timeout: 30_000 }).toBe(false);
}

const objects = `
apiVersion: v1
kind: ConfigMap
metadata: {name: kept}
data: {text: "written before"}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: 2
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec: {containers: [{name: web, image: agnhost, args: [netexec, --http-port=8080]}]}
---
apiVersion: v1
kind: Service
metadata: {name: web}
spec: {selector: {app: web}, ports: [{port: 80, targetPort: 8080}]}
---
apiVersion: v1
kind: Pod
metadata: {name: caller}
spec: {containers: [{name: shell, image: busybox}]}
`;
const manifest = file('objects.yaml');
writeFileSync(manifest, objects);
const small = ['--nodes', '1'] as const;
// Several clusters each, on machines that may be slow.
const LONG = { timeout: 240_000 };

afterEach(() => {
  for (const name of existsSync(join(root, 'clusters')) ? readdirSync(join(root, 'clusters')) : [])
    towtank('down', '--name', name);
});
afterAll(() => rmSync(root, { recursive: true, force: true }));

async function expectWhole(name: string, uid: string | undefined): Promise<void> {
  const kept = await cluster(name).get<ConfigMap>('configmaps', 'kept', 'default');
  expect(kept.data).toEqual({ text: 'written before' });
  expect(kept.metadata?.uid).toBe(uid);
  await cluster(name).wait({ resource: 'deployments', name: 'web', for: 'Available' });
  await cluster(name).wait({ resource: 'pods', name: 'caller', for: 'Ready' });
  const answer = await cluster(name).pod('caller').fetch('http://web/hostname');
  expect(answer.body).toMatch(/^web-/);
}

const uidOf = async (name: string): Promise<string | undefined> =>
  (await cluster(name).get<ConfigMap>('configmaps', 'kept', 'default')).metadata?.uid;

describe('a cluster that is kept', () => {
  it(
    'goes on after kill -9 with its objects, its pods in new processes, and kubeconfigs that are still good',
    LONG,
    async () => {
      succeed('up', '--name', 'a', ...small, '--apply', manifest);
      const [uid, service] = [await uidOf('a'), await cluster('a').get<Service>('services', 'web', 'default')];
      const authority = (): string =>
        /certificate-authority-data: *(\S+)/.exec(readFileSync(cluster('a').kubeconfig, 'utf8'))?.[1] ?? '';
      const before = authority();
      await kill('a');
      expect(towtank('status', '--name', 'a')).toMatchObject({
        exitCode: 2,
        stderr: expect.stringContaining('are kept'),
      });
      expect(succeed('up', '--name', 'a')).toContain('is up again: 1 nodes');
      await expectWhole('a', uid);
      expect((await cluster('a').get<Service>('services', 'web', 'default')).spec?.clusterIP).toBe(
        service.spec?.clusterIP,
      );
      const pod = await cluster('a').get<Pod>('pods', 'caller', 'default');
      expect(pod.status?.containerStatuses?.[0]?.restartCount).toBe(1);
      expect(authority()).not.toBe('');
      expect(authority()).toBe(before);
    },
  );

  it('taken down with --keep goes on; with other options it does not; --fresh and down forget it', LONG, async () => {
    succeed('up', '--name', 'a', ...small, '--apply', manifest);
    const uid = await uidOf('a');
    expect(succeed('down', '--name', 'a', '--keep')).toContain('towtank up goes on with it');
    expect(readdirSync(folder('a'))).toEqual(['store']);
    expect(statSync(join(folder('a'), 'store', 'store.db')).mode & 0o777).toBe(0o600);
    const other = towtank('up', '--name', 'a', '--nodes', '2');
    expect(other).toMatchObject({ exitCode: 2, stderr: expect.stringContaining('another configuration (nodes)') });
    succeed('up', '--name', 'a', ...small);
    expect(await uidOf('a')).toBe(uid);
    succeed('down', '--name', 'a', '--keep');
    succeed('up', '--name', 'a', '--nodes', '2', '--fresh');
    await expect(cluster('a').get('configmaps', 'kept', 'default')).rejects.toThrow('not found');
    await kill('a');
    expect(succeed('down', '--name', 'a')).toContain('is forgotten');
    expect(readdirSync(join(root, 'clusters'))).toEqual([]);
    expect(towtank('down', '--name', 'a')).toMatchObject({ exitCode: 2 });
  });

  it('is restored from a snapshot when its file is damaged, and under another name besides', LONG, async () => {
    succeed('up', '--name', 'a', ...small, '--apply', manifest);
    const uid = await uidOf('a');
    expect(succeed('snapshot', 'save', file('a.snapshot'), '--name', 'a')).toMatch(
      /^saved \d+ entries at revision \d+/,
    );
    const running = towtank('snapshot', 'restore', file('a.snapshot'), '--name', 'a');
    expect(running).toMatchObject({ exitCode: 2, stderr: expect.stringContaining('is running') });
    succeed('down', '--name', 'a', '--keep');
    const database = join(folder('a'), 'store', 'store.db');
    writeFileSync(database, 'x'.repeat(50_000));
    const refused = towtank('up', '--name', 'a');
    expect(refused).toMatchObject({ exitCode: 2, stderr: expect.stringContaining(`${database} is damaged`) });
    expect(refused.stderr).toContain('towtank snapshot restore');
    expect(succeed('snapshot', 'restore', file('a.snapshot'), '--name', 'a')).toContain(`${database}.damaged`);
    succeed('up', '--name', 'a');
    await expectWhole('a', uid);
    succeed('snapshot', 'restore', file('a.snapshot'), '--name', 'b');
    succeed('up', '--name', 'b');
    expect(await uidOf('b')).toBe(uid);
  });

  it('in memory has nothing to keep, and its snapshot can be', LONG, async () => {
    succeed('up', '--name', 'm', ...small, '--store', 'memory', '--apply', manifest);
    const uid = await uidOf('m');
    expect(towtank('down', '--name', 'm', '--keep')).toMatchObject({
      exitCode: 2,
      stderr: expect.stringContaining('snapshot save'),
    });
    succeed('snapshot', 'save', file('m.snapshot'), '--name', 'm');
    succeed('down', '--name', 'm');
    expect(existsSync(folder('m'))).toBe(false);
    succeed('snapshot', 'restore', file('m.snapshot'), '--name', 'm');
    succeed('up', '--name', 'm');
    await expectWhole('m', uid);
  });
});

const etcd = findEtcd();
describe.skipIf(etcd === undefined)(`a cluster on etcd [${NO_ETCD}]`, () => {
  it('goes on with what etcd holds, is moved to sqlite and back, and survives a restart of etcd', LONG, async () => {
    const dataDir = mkdtempSync(join(tmpdir(), 'towtank-etcd-'));
    const first = await EtcdPeer.start(etcd!, { dataDir });
    const config = file('etcd.yaml');
    writeFileSync(
      config,
      `metadata: {name: e}\nspec: {nodes: 1, store: {engine: etcd, endpoints: ["http://localhost:${first.clientPort}"], prefix: /lab}}`,
    );
    succeed('up', '-f', config, '--apply', manifest);
    const uid = await uidOf('e');
    await first.kill();
    await using _again = await EtcdPeer.start(etcd!, { dataDir, clientPort: first.clientPort });
    await expectWhole('e', uid);
    succeed('down', '--name', 'e');
    // What etcd holds is the user's, and stays.
    succeed('snapshot', 'save', file('e.snapshot'), '-f', config);
    succeed('up', '-f', config);
    await expectWhole('e', uid);
    succeed('down', '--name', 'e');
    succeed('snapshot', 'restore', file('e.snapshot'), '--name', 's');
    succeed('up', '--name', 's');
    expect((await cluster('s').status()).store.engine).toBe('sqlite');
    await expectWhole('s', uid);
    await cluster('s').apply('{apiVersion: v1, kind: ConfigMap, metadata: {name: later}}');
    succeed('snapshot', 'save', file('s.snapshot'), '--name', 's');
    succeed('snapshot', 'restore', file('s.snapshot'), '-f', config);
    succeed('up', '-f', config);
    expect(await cluster('e').get('configmaps', 'later', 'default')).toMatchObject({ metadata: { name: 'later' } });
  });
});

describe('a snapshot that is none', () => {
  it.each([
    ['a text', () => writeFileSync(file('odd'), 'hello'), 'it is not a snapshot of towtank'],
    ['what is not there', () => rmSync(file('odd'), { force: true }), 'cannot be read'],
    ['a program', () => copyFileSync(process.execPath, file('odd')), 'it is not a snapshot of towtank'],
  ])('%s is refused before anything is changed', (_, make, problem) => {
    make();
    const { exitCode, stderr } = towtank('snapshot', 'restore', file('odd'), '--name', 'x');
    expect({ exitCode, stderr }).toEqual({ exitCode: 2, stderr: expect.stringContaining(problem) });
    expect(existsSync(folder('x'))).toBe(false);
  });
});
