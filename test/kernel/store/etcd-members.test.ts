import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { links } from '../../../src/kernel/netlink/links.ts';
import type { NetworkNamespace } from '../../../src/kernel/network-namespace.ts';
import { type RunningProgram, startProgram } from '../../../src/kernel/programs.ts';
import { EtcdStore } from '../../../src/store/etcd/etcd-store.ts';
import { findEtcd, NO_ETCD } from '../../helpers/etcd-peer.ts';
import { createLab, type LabNode } from '../../helpers/kernel-lab.ts';
import { realClock as clock } from '../../helpers/real-clock.ts';
import { recordWatch } from '../../helpers/recorded-watch.ts';

const etcd = findEtcd();
const MEMBERS = 3;

/** An etcd of three members, each in a namespace of its own. */
class EtcdCluster implements AsyncDisposable {
  readonly endpoints: readonly string[];
  readonly #folder = mkdtempSync(join(tmpdir(), 'towtank-etcd-'));
  readonly #nodes: readonly LabNode[];
  readonly #running = new Map<number, RunningProgram>();

  constructor(nodes: readonly LabNode[]) {
    this.#nodes = nodes;
    this.endpoints = nodes.map((node) => `http://${node.addresses[0]}:2379`);
    for (const index of nodes.keys()) this.start(index);
  }

  start(index: number): void {
    const peers = this.#nodes.map((node, at) => `m${at}=http://${node.addresses[0]}:2380`);
    const own = `http://${this.#nodes[index]!.addresses[0]}`;
    const command = [
      ...[etcd!, '--name', `m${index}`, '--data-dir', join(this.#folder, `m${index}`)],
      ...['--initial-cluster', peers.join(','), '--initial-advertise-peer-urls', `${own}:2380`],
      ...['--listen-peer-urls', `${own}:2380`, '--listen-client-urls', `${own}:2379`],
      ...['--advertise-client-urls', `${own}:2379`],
    ];
    const program = startProgram({ netns: this.#nodes[index]!.netns, command });
    program.stdout.resume();
    program.stderr.resume();
    this.#running.set(index, program);
  }

  async kill(index: number): Promise<void> {
    const program = this.#running.get(index)!;
    program.kill('SIGKILL');
    await program.exited;
  }

  /** Drops what fits in both directions until it is healed. */
  async cut(index: number, what: 'its peers' | 'everybody'): Promise<void> {
    const rules =
      what === 'everybody' ? 'iifname "eth0" drop; oifname "eth0" drop' : 'tcp dport 2380 drop; tcp sport 2380 drop';
    const chains = ['input', 'output'].map(
      (hook) => `chain ${hook} { type filter hook ${hook} priority 0; ${rules}; }`,
    );
    await this.#nft(this.#nodes[index]!.netns, `table inet cut {\n${chains.join('\n')}\n}`);
  }

  heal(index: number): Promise<void> {
    return this.#nft(this.#nodes[index]!.netns, 'delete table inet cut');
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([...this.#running.keys()].map((index) => this.kill(index)));
    // Connections that nobody answers any more keep their namespace alive for minutes, and with it its port on the fabric.
    for (const { netns } of this.#nodes) links.apply(netns, [{ kind: 'deleteLink', link: 'eth0' }]);
    rmSync(this.#folder, { recursive: true, force: true });
  }

  async #nft(netns: NetworkNamespace, text: string): Promise<void> {
    const program = startProgram({ netns, command: ['nft', text] });
    const problem = await program.stderr.toArray();
    program.stdout.resume();
    expect({ ...(await program.exited), problem: Buffer.concat(problem).toString() }).toMatchObject({ exitCode: 0 });
  }
}

/** Writes all the time, and knows what was acknowledged. */
class Writers {
  readonly acknowledged = new Map<string, number>();
  readonly #store: EtcdStore;
  #waiting: (() => void)[] = [];
  #refused = 0;
  #stopped = false;
  readonly #ended: Promise<unknown>;

  constructor(store: EtcdStore, count: number) {
    this.#store = store;
    this.#ended = Promise.all(Array.from({ length: count }, (_, name) => this.#write(name)));
  }

  /** Resolves when so many more were acknowledged. */
  progress(count: number): Promise<void> {
    const goal = this.acknowledged.size + count;
    return this.#until(() => this.acknowledged.size >= goal);
  }

  /** Resolves when so many more were refused. */
  refusals(count: number): Promise<void> {
    const goal = this.#refused + count;
    return this.#until(() => this.#refused >= goal);
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    await this.#ended;
  }

  async #until(isReached: () => boolean): Promise<void> {
    while (!isReached()) await new Promise<void>((resolve) => this.#waiting.push(resolve));
  }

  async #write(name: number): Promise<void> {
    for (let i = 0; !this.#stopped; i++) {
      const key = `/${name}/${i}`;
      try {
        const { revision } = await this.#store.commit([{ key, value: Buffer.from('x'), expect: 0 }]);
        this.acknowledged.set(key, revision);
      } catch (error) {
        expect(error).toMatchObject({ code: 'ERR_STORE_UNAVAILABLE' });
        this.#refused++;
        await new Promise((resolve) => setImmediate(resolve));
      }
      for (const wake of this.#waiting.splice(0)) wake();
    }
  }
}

async function openWhenElected(endpoints: readonly string[]): Promise<EtcdStore> {
  for (;;) {
    try {
      return await EtcdStore.open({ endpoints, clock, requestTimeoutMs: 2000 });
    } catch (error) {
      expect(error).toMatchObject({ code: 'ERR_STORE_UNAVAILABLE' });
      await new Promise((resolve) => clock.schedule(100, () => resolve(undefined)));
    }
  }
}

describe.skipIf(etcd === undefined)(`an etcd of three members [${NO_ETCD}]`, () => {
  it('loses no acknowledged write and no event while members die, are cut off, and come back', async () => {
    await using lab = await createLab({ nodes: MEMBERS, podsPerNode: 0 });
    await using cluster = new EtcdCluster(lab.nodes);
    await using store = await openWhenElected(cluster.endpoints);
    const watch = recordWatch(store, '/');
    const writers = new Writers(store, 4);
    await writers.progress(50);
    for (const index of lab.nodes.keys()) {
      await cluster.kill(index);
      await writers.progress(30);
      cluster.start(index);
      await writers.progress(30);
      await cluster.cut(index, 'its peers');
      await writers.progress(30);
      await cluster.heal(index);
      await writers.progress(30);
      await cluster.cut(index, 'everybody');
      await writers.progress(30);
      await cluster.heal(index);
      await writers.progress(30);
    }
    // Without a majority nothing is acknowledged; with it everything goes on.
    await Promise.all([cluster.cut(0, 'its peers'), cluster.cut(1, 'its peers')]);
    await writers.refusals(8);
    expect(
      await store.barrier().then(
        () => 'shown',
        (error: unknown) => error,
      ),
    ).toMatchObject({
      code: 'ERR_STORE_UNAVAILABLE',
    });
    await Promise.all([cluster.heal(0), cluster.heal(1)]);
    await writers.progress(30);
    await writers.stop();
    await store.barrier();
    for (const [key, revision] of writers.acknowledged) expect(store.get(key)?.modRevision, key).toBe(revision);
    const revisions = watch.events.map((event) => event.revision);
    expect(revisions).toEqual(Array.from({ length: revisions.length }, (_, i) => revisions[0]! + i));
    expect(store.revision).toBe(revisions.at(-1));
  }, 300_000);
});
