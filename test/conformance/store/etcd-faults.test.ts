import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  createAuthority,
  createClusterCertificates,
} from '../../../src/apiserver/certificates/cluster-certificates.ts';
import { EtcdClient } from '../../../src/store/etcd/etcd-client.ts';
import { EtcdStore } from '../../../src/store/etcd/etcd-store.ts';
import { encodeCompaction, rangeOf } from '../../../src/store/etcd/messages.ts';
import { ProtobufWriter } from '../../../src/store/etcd/protobuf-writer.ts';
import type { Store } from '../../../src/store/store.ts';
import { EtcdPeer, findEtcd, NO_ETCD } from '../../helpers/etcd-peer.ts';
import { realClock as clock } from '../../helpers/real-clock.ts';
import { describeEvent, recordWatch } from '../../helpers/recorded-watch.ts';

const etcd = findEtcd();
const put = (store: Store, key: string, text: string) => store.commit([{ key, value: Buffer.from(text) }]);
const failure = (promise: Promise<unknown> | undefined): Promise<unknown> =>
  Promise.resolve(promise).then(
    () => undefined,
    (error: unknown) => error,
  );

/** Resolves when writes are answered again. */
async function untilWritable(store: Store): Promise<void> {
  while ((await failure(put(store, '/back', 'x'))) !== undefined) await new Promise((resolve) => setImmediate(resolve));
}

describe.skipIf(etcd === undefined)(`etcd in trouble [${NO_ETCD}]`, () => {
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'towtank-etcd-'));
  });
  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  it('killed and started again, loses no acknowledged write, and watches go on without gap', async () => {
    const first = await EtcdPeer.start(etcd!, { dataDir: folder });
    await using store = await EtcdStore.open({ endpoints: [first.endpoint], clock });
    const watch = recordWatch(store, '/');
    const acknowledged = new Map<string, number>();
    let stop = false;
    const writer = async (name: number): Promise<void> => {
      for (let i = 0; !stop; i++) {
        const key = `/${name}/${i}`;
        const result = await put(store, key, 'x').catch(() => undefined);
        if (result) acknowledged.set(key, result.revision);
        else await new Promise((resolve) => setImmediate(resolve));
      }
    };
    const writers = Array.from({ length: 8 }, (_, name) => writer(name));
    let peer = first;
    for (let round = 0; round < 3; round++) {
      await watch.until(watch.events.length + 50);
      await peer.kill();
      peer = await EtcdPeer.start(etcd!, { dataDir: folder, clientPort: first.clientPort });
    }
    await watch.until(watch.events.length + 50);
    stop = true;
    await Promise.all(writers);
    await store.barrier();
    for (const [key, revision] of acknowledged) expect(store.get(key)?.modRevision, key).toBe(revision);
    const revisions = watch.events.map((event) => event.revision);
    expect(revisions).toEqual(Array.from({ length: revisions.length }, (_, i) => revisions[0]! + i));
    expect(acknowledged.size).toBeGreaterThan(100);
    await peer.kill();
  });

  it('out of reach, says so to reads that must be new and to writes, and shows what it last knew', async () => {
    const peer = await EtcdPeer.start(etcd!, { dataDir: folder });
    await using store = await EtcdStore.open({ endpoints: [peer.endpoint], clock });
    await put(store, '/a', 'one');
    await peer.kill();
    expect(await failure(store.barrier())).toMatchObject({ code: 'ERR_STORE_UNAVAILABLE' });
    // The connection may break under the first write, which leaves open whether it was made; the next finds nobody.
    await failure(put(store, '/a', 'two'));
    expect(await failure(put(store, '/a', 'two'))).toMatchObject({ code: 'ERR_STORE_UNAVAILABLE', uncertain: false });
    expect(store.get('/a')?.value.toString()).toBe('one');
    const again = await EtcdPeer.start(etcd!, { dataDir: folder, clientPort: peer.clientPort });
    await untilWritable(store);
    await store.barrier();
    expect(store.get('/back')?.value.toString()).toBe('x');
    await again.kill();
  });

  it('compacted while a store could not follow, ends its watches so that all list again', async () => {
    const peer = await EtcdPeer.start(etcd!, { dataDir: folder });
    await using store = await EtcdStore.open({ endpoints: [peer.endpoint], clock });
    await put(store, '/a', 'one');
    const watch = recordWatch(store, '/');
    await peer.kill();
    // Its port belongs to another member of this history for a while: one that the store does not reach.
    const hidden = await EtcdPeer.start(etcd!, { dataDir: folder });
    {
      await using other = await EtcdStore.open({ endpoints: [hidden.endpoint], clock });
      for (const text of ['two', 'three', 'four']) await put(other, '/a', text);
      await other.compact(other.revision);
    }
    await hidden.kill();
    const back = await EtcdPeer.start(etcd!, { dataDir: folder, clientPort: peer.clientPort });
    expect(await watch.ended).toMatchObject({ code: 'ERR_STORE_COMPACTED' });
    expect(watch.events).toEqual([]);
    expect(store.get('/a')?.value.toString()).toBe('four');
    const next = recordWatch(store, '/');
    await put(store, '/a', 'five');
    await next.until(1);
    expect(next.events.map(describeEvent)).toEqual(['update /a=five']);
    await back.kill();
  });

  it('replaced by another etcd behind the same address, is loaded anew', async () => {
    const peer = await EtcdPeer.start(etcd!);
    await using store = await EtcdStore.open({ endpoints: [peer.endpoint], clock });
    for (const text of ['1', '2', '3']) await put(store, '/old', text);
    const watch = recordWatch(store, '/');
    await peer[Symbol.asyncDispose]();
    await using _other = await EtcdPeer.start(etcd!, { clientPort: peer.clientPort });
    expect(await watch.ended).toMatchObject({ code: 'ERR_STORE_COMPACTED' });
    expect(store.range('/').items).toEqual([]);
  });

  it('with a dead member among its endpoints, is reached through the living one', async () => {
    await using peer = await EtcdPeer.start(etcd!);
    const endpoints = ['http://127.0.0.1:1', peer.endpoint, 'http://127.0.0.1:2'];
    await using store = await EtcdStore.open({ endpoints, clock });
    await put(store, '/a', 'one');
    expect(store.get('/a')?.value.toString()).toBe('one');
  });

  it('keeps clusters apart whose prefixes begin alike', async () => {
    await using peer = await EtcdPeer.start(etcd!);
    const open = (prefix: string) => EtcdStore.open({ endpoints: [peer.endpoint], prefix, clock });
    await using one = await open('/lab');
    await using two = await open('/lab2');
    await put(one, '/a', 'one');
    await put(two, '/b', 'two');
    await one.restore(await one.snapshot());
    await Promise.all([one.barrier(), two.barrier()]);
    expect(one.range('').items.map(({ key }) => key)).toEqual(['/a']);
    expect(two.range('').items.map(({ key }) => key)).toEqual(['/b']);
  });

  it('refuses to open when nobody answers, and names each endpoint', async () => {
    const opening = EtcdStore.open({ endpoints: ['http://127.0.0.1:1', 'http://127.0.0.1:2'], clock });
    await expect(opening).rejects.toMatchObject({
      code: 'ERR_STORE_UNAVAILABLE',
      message: expect.stringMatching(/127\.0\.0\.1:1: .*ECONNREFUSED.*; 127\.0\.0\.1:2: .*ECONNREFUSED/),
    });
  });

  it('shows a value that is larger than etcd takes as refused, not as lost', async () => {
    await using peer = await EtcdPeer.start(etcd!);
    await using store = await EtcdStore.open({ endpoints: [peer.endpoint], clock });
    const value = Buffer.alloc(2 << 20);
    expect(await failure(store.commit([{ key: '/large', value }]))).toMatchObject({
      code: 'ERR_STORE_UNAVAILABLE',
      uncertain: false,
      hint: expect.stringContaining('1.5 MiB'),
    });
    await put(store, '/small', 'x');
  });

  it('full, refuses writes with what to do, and loses nothing', async () => {
    await using peer = await EtcdPeer.start(etcd!, { args: ['--quota-backend-bytes', String(4 << 20)] });
    await using store = await EtcdStore.open({ endpoints: [peer.endpoint], clock });
    const value = Buffer.alloc(1 << 20);
    let [error, written]: [unknown, number] = [undefined, 0];
    for (; error === undefined && written < 30; written++)
      error = await failure(store.commit([{ key: `/k/${written}`, value }]));
    // etcd makes the write that it has no space for, and then refuses it.
    expect(error).toMatchObject({ uncertain: true, hint: expect.stringContaining('alarm disarm') });
    await store.barrier();
    expect([written - 1, written]).toContain(store.count('/k/'));
    await store.commit([{ key: '/k/0', value: undefined }]);
  });

  it('compacted by another server, is compacted here as well when asked', async () => {
    await using peer = await EtcdPeer.start(etcd!);
    await using store = await EtcdStore.open({ endpoints: [peer.endpoint], clock });
    for (const text of ['1', '2', '3']) await put(store, '/k', text);
    using client = new EtcdClient({ endpoints: [peer.endpoint], clock });
    await client.read('/etcdserverpb.KV/Compact', encodeCompaction(store.revision));
    await store.compact(store.revision - 1);
    expect(store.compactedRevision).toBe(store.revision - 1);
  });

  describe('over TLS', () => {
    const write = (name: string, text: string): string => {
      writeFileSync(join(folder, name), text, { mode: 0o600 });
      return join(folder, name);
    };

    it('lets in who shows a certificate of its authority, and says why nobody else', async () => {
      const authority = createAuthority(Date.now());
      const { server, admin } = createClusterCertificates({ names: ['127.0.0.1'], now: Date.now(), authority });
      const args = [
        ...['--cert-file', write('server.crt', server.cert), '--key-file', write('server.key', server.key)],
        ...['--client-cert-auth', '--trusted-ca-file', write('ca.crt', authority.cert)],
      ];
      await using peer = await EtcdPeer.start(etcd!, { args, scheme: 'https' });
      const endpoints = [peer.endpoint];
      {
        await using store = await EtcdStore.open({ endpoints, tls: { ca: authority.cert, ...admin }, clock });
        await put(store, '/a', 'one');
      }
      const stranger = createClusterCertificates({ names: [], now: Date.now() });
      const [untrusted, without, other] = await Promise.all([
        failure(EtcdStore.open({ endpoints, clock })),
        failure(EtcdStore.open({ endpoints, tls: { ca: authority.cert }, clock })),
        failure(EtcdStore.open({ endpoints, tls: { ca: authority.cert, ...stranger.admin }, clock })),
      ]);
      expect(untrusted).toMatchObject({ message: expect.stringMatching(/certificate/) });
      for (const error of [untrusted, without, other]) expect(error).toMatchObject({ code: 'ERR_STORE_UNAVAILABLE' });
    });
  });

  describe('with authentication', () => {
    const AUTH = '/etcdserverpb.Auth/';
    const strings = (...values: readonly string[]): Buffer =>
      values.reduce((writer, value, index) => writer.string(index + 1, value), new ProtobufWriter()).finish();

    it('lets a user in, also when the token is over, and keeps to its prefix', async () => {
      await using peer = await EtcdPeer.start(etcd!, { args: ['--auth-token-ttl', '1'] });
      using root = new EtcdClient({ endpoints: [peer.endpoint], clock });
      const { key, end } = rangeOf('/lab/');
      const readWrite = new ProtobufWriter().int(1, 2).bytes(2, key).bytes(3, end).finish();
      const permission = new ProtobufWriter().string(1, 'lab').message(2, readWrite).finish();
      await root.write(`${AUTH}UserAdd`, strings('root', 'secret'));
      await root.write(`${AUTH}UserGrantRole`, strings('root', 'root'));
      await root.write(`${AUTH}RoleAdd`, strings('lab'));
      await root.write(`${AUTH}RoleGrantPermission`, permission);
      await root.write(`${AUTH}UserAdd`, strings('towtank', 'pass'));
      await root.write(`${AUTH}UserGrantRole`, strings('towtank', 'lab'));
      await root.write(`${AUTH}AuthEnable`, strings());
      const user = { name: 'towtank', password: 'pass' };
      const options = { endpoints: [peer.endpoint], prefix: '/lab', clock };
      await using store = await EtcdStore.open({ ...options, user });
      await put(store, '/a', 'one');
      // A token that is not used lives for a second.
      await new Promise((resolve) => clock.schedule(2500, () => resolve(undefined)));
      await put(store, '/a', 'two');
      await store.barrier();
      expect(store.get('/a')?.value.toString()).toBe('two');
      expect(await failure(EtcdStore.open({ ...options, user: { ...user, password: 'wrong' } }))).toMatchObject({
        message: expect.stringContaining('authentication failed'),
      });
      expect(await failure(EtcdStore.open({ ...options, prefix: '/other', user }))).toMatchObject({
        message: expect.stringContaining('permission denied'),
        hint: expect.stringContaining('roles'),
      });
    });
  });
});
