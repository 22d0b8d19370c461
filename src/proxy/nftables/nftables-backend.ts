import { TowtankError } from '../../errors/towtank-error.ts';
import type { Clock } from '../../kube/clock.ts';
import { replaceTable } from '../../netfilter/nftables/diff-tables.ts';
import type { Table } from '../../netfilter/nftables/table.ts';
import type { Operation } from '../../netfilter/nftables/transaction.ts';
import type { Family, NftRunner } from '../../netfilter/runner.ts';
import type { SelectedPort } from '../facts/select-endpoints.ts';
import type { ProxyBackend, ProxyState, SyncReport } from '../proxy-backend.ts';
import { Quarantine } from '../quarantine.ts';
import { AppliedTable } from './applied-table.ts';
import { buildClaimedTable, buildTable, defaultDispatch } from './build-table.ts';
import { wordsOf } from './family-words.ts';
import { countObjects } from './object-count.ts';
import { TABLE } from './object-names.ts';
import { withRememberedClients } from './remembered-clients.ts';
import { TableWriter } from './table-writer.ts';

export interface NftablesBackendOptions {
  readonly family: Family;
  readonly runner: NftRunner;
  readonly clock: Clock;
  /** Default: INLINE_LIMIT. */
  readonly inlineLimit?: number;
}

/** nftables mode: kube-proxy's table, kept up to date element by element. */
export class NftablesBackend implements ProxyBackend {
  readonly family: Family;
  readonly #writer: TableWriter;
  readonly #quarantine = new Quarantine();
  readonly #inlineLimit: number | undefined;
  #applied: AppliedTable | undefined;
  #total = 0;

  constructor({ family, runner, clock, inlineLimit }: NftablesBackendOptions) {
    // nft 1.0.6 cannot add a UDP rule to a table whose endpoint maps it reads back: it stays with endpoints in the rules.
    this.#inlineLimit = runner.apply === undefined ? Number.POSITIVE_INFINITY : inlineLimit;
    this.family = family;
    this.#writer = new TableWriter({ family: wordsOf(family).table, table: TABLE, runner, clock });
  }

  async sync(state: ProxyState, changed: ReadonlySet<string> | 'all'): Promise<SyncReport> {
    const applied = this.#applied;
    const ports = changed === 'all' ? 0 : this.#portsAfter(applied, state, changed);
    if (changed === 'all' || applied === undefined || applied.node !== state.node || !applied.hasFormFor(ports)) {
      return await this.#full(state);
    }
    try {
      return await this.#partial(applied, state, changed);
    } catch (error) {
      if (!(error instanceof TowtankError)) throw error;
      return { ...(await this.#full(state, changed)), recoveredFrom: { attempt: 'partial', cause: error } };
    }
  }

  async isIntact(): Promise<boolean> {
    return this.#applied === undefined || (await this.#writer.isIntact());
  }

  async cleanup(): Promise<void> {
    this.#applied = undefined;
    await this.#writer.write([{ kind: 'add-table' }, { kind: 'delete-table' }]);
  }

  #portsAfter(applied: AppliedTable | undefined, state: ProxyState, changed: ReadonlySet<string>): number {
    let ports = applied?.size ?? 0;
    for (const key of changed) {
      if (applied?.get(key) !== undefined) ports--;
      if (this.#quarantine.admits(key, state.ports.get(key))) ports++;
    }
    return ports;
  }

  async #partial(applied: AppliedTable, state: ProxyState, changed: ReadonlySet<string>): Promise<SyncReport> {
    const changes = [...changed]
      .sort()
      .map((key) => ({ key, after: this.#quarantine.admitted(key, state.ports.get(key)) }));
    const operations = applied.change(changes);
    const cleanupFailure = await this.#writer.write(operations);
    const report = this.#report(operations.length === 0 ? 'nothing' : 'partial', operations);
    return cleanupFailure === undefined ? report : { ...report, cleanupFailure };
  }

  // What failed is unknown until a table of the suspects alone has been tried; everything is suspect in a full sync.
  async #full(state: ProxyState, suspects?: ReadonlySet<string>): Promise<SyncReport> {
    this.#applied = undefined;
    this.#quarantine.forgetAllBut(state.ports);
    try {
      return await this.#replace(state);
    } catch (error) {
      if (!(error instanceof TowtankError)) throw error;
      const found = await this.#findRefused(state, [...(suspects ?? state.ports.keys())]);
      if (!found) throw error;
      return { ...(await this.#replace(state)), recoveredFrom: { attempt: 'full', cause: error } };
    }
  }

  async #replace(state: ProxyState): Promise<SyncReport> {
    const options = defaultDispatch(this.#inlineLimit);
    const built = buildClaimedTable({ ...state, ports: this.#admitted(state) }, options);
    const table = await withRememberedClients(built.table, this.#writer);
    const operations = replaceTable(table);
    await this.#writer.replace(operations, table);
    this.#applied = new AppliedTable(state.node, built, options);
    this.#total = 0;
    return this.#report('full', operations);
  }

  #admitted(state: ProxyState): ReadonlyMap<string, SelectedPort> {
    if (this.#quarantine.isEmpty) return state.ports;
    return new Map([...state.ports].filter(([key, selected]) => this.#quarantine.admits(key, selected)));
  }

  // Puts those of the keys into quarantine that the kernel refuses by themselves. False when it refuses even an empty table.
  async #findRefused(state: ProxyState, keys: readonly string[]): Promise<boolean> {
    const admitted = keys.filter((key) => this.#quarantine.admits(key, state.ports.get(key)));
    if ((await this.#refusal(state, [])) !== undefined) return false;
    await this.#bisect(state, admitted);
    return admitted.some((key) => !this.#quarantine.admits(key, state.ports.get(key)));
  }

  async #bisect(state: ProxyState, keys: readonly string[]): Promise<void> {
    const refusal = await this.#refusal(state, keys);
    if (refusal === undefined) return;
    const [only] = keys;
    if (keys.length === 1 && only !== undefined) {
      this.#quarantine.add(only, state.ports.get(only), refusal);
      return;
    }
    const middle = Math.ceil(keys.length / 2);
    await this.#bisect(state, keys.slice(0, middle));
    await this.#bisect(state, keys.slice(middle));
  }

  // Why the kernel would refuse a table of these ServicePorts alone; nothing is changed.
  async #refusal(state: ProxyState, keys: readonly string[]): Promise<TowtankError | undefined> {
    const ports = new Map(keys.flatMap((key) => (state.ports.has(key) ? [[key, state.ports.get(key)!] as const] : [])));
    try {
      await this.#writer.check(replaceTable(this.#tableOf(state, ports)));
      return undefined;
    } catch (error) {
      if (error instanceof TowtankError) return error;
      throw error;
    }
  }

  #tableOf(state: ProxyState, ports: ReadonlyMap<string, SelectedPort>): Table {
    return buildTable({ ...state, ports }, defaultDispatch(this.#inlineLimit));
  }

  #report(kind: SyncReport['kind'], operations: readonly Operation[]): SyncReport {
    const { added, removed } = countObjects(operations);
    this.#total += added - removed;
    return {
      kind,
      quarantined: this.#quarantine.list(),
      rules: { [TABLE]: { total: this.#total, written: added } },
    };
  }
}
