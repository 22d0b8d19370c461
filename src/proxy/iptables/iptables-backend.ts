import type { Family, IptablesRunner } from '../../netfilter/runner.ts';
import { ChangeWatch } from '../change-watch.ts';
import type { ProxyBackend, ProxyState, SyncReport } from '../proxy-backend.ts';
import { Quarantine } from '../quarantine.ts';
import { AppliedRules } from './applied-rules.ts';
import type { FixedOptions } from './build-fixed-chains.ts';
import { type CheckOptions, checkScript } from './check-script.ts';
import { writeCleanup } from './cleanup.ts';
import { readExisting } from './existing-rules.ts';
import { isRefusal } from './is-refusal.ts';
import { MANY_RULES, RestoreScript } from './restore-script.ts';
import { Transaction } from './transaction.ts';
import { countFixed, writeEdits, writeFixed, writePort, writeShared, writeStale } from './write-rules.ts';

export interface IptablesBackendOptions extends FixedOptions {
  readonly family: Family;
  readonly runner: IptablesRunner;
}

// What makes iptables read a whole table is watched while it is small: jumps, and on iptables-legacy tables other than mangle. There
// it takes no longer than a change, so that any table is looked at after somebody else changed rules.
const WATCHED_RULES = 5000;

/** iptables mode: the rules of kube-proxy, written with as little text as each change needs. */
export class IptablesBackend implements ProxyBackend {
  readonly family: Family;
  readonly #runner: IptablesRunner;
  readonly #options: FixedOptions;
  readonly #quarantine = new Quarantine();
  readonly #watch = new ChangeWatch();
  /** Since rules were looked at. */
  #hasWritten = false;
  #applied: AppliedRules | undefined;
  #isNft: Promise<boolean> | undefined;

  constructor(options: IptablesBackendOptions) {
    this.family = options.family;
    this.#runner = options.runner;
    this.#options = options;
  }

  async sync(state: ProxyState, changed: ReadonlySet<string> | 'all'): Promise<SyncReport> {
    const applied = this.#applied;
    if (changed === 'all' || applied === undefined || applied.node !== state.node) return this.#full(state);
    try {
      return await this.#partial(applied, state, this.#admitted(state, changed));
    } catch (error) {
      if (!isRefusal(error)) throw error;
      return { ...(await this.#full(state, changed)), recoveredFrom: { attempt: 'partial', cause: error } };
    }
  }

  async isIntact(): Promise<boolean> {
    const applied = this.#applied;
    if (applied === undefined) return true;
    const { generation } = this.#runner;
    return await this.#watch.isIntact(generation?.bind(this.#runner, this.family), () => this.#look(applied));
  }

  async #look(applied: AppliedRules): Promise<boolean> {
    const script = checkScript(applied.node, await this.#scopeOf(applied));
    try {
      await this.#runner.restore(this.family, script, { noflush: true });
      this.#hasWritten = false;
      return true;
    } catch (error) {
      if (isRefusal(error)) return false;
      throw error;
    }
  }

  async #scopeOf(applied: AppliedRules): Promise<CheckOptions> {
    if (this.#ruleCount(applied) <= WATCHED_RULES) return { everyTable: true, jumps: true };
    if (await this.#usesNft()) return { everyTable: true, jumps: false };
    const isForeign = this.#runner.generation !== undefined && !this.#hasWritten;
    return { everyTable: isForeign, jumps: isForeign };
  }

  async cleanup(): Promise<void> {
    const script = new RestoreScript();
    writeCleanup(script, readExisting(await this.#runner.save(this.family)));
    this.#applied = undefined;
    if (!script.isEmpty) await this.#restore(script);
  }

  async #partial(applied: AppliedRules, state: ProxyState, keys: readonly string[]): Promise<SyncReport> {
    const script = new RestoreScript();
    const transaction = new Transaction(applied);
    for (const change of applied.plan(state, keys)) {
      writePort(script, change);
      writeEdits(script, transaction.apply(change));
    }
    if (script.isEmpty) return this.#report('nothing', applied, script);
    await this.#restore(script, transaction);
    return this.#report('partial', applied, script);
  }

  async #full(state: ProxyState, suspects?: ReadonlySet<string>): Promise<SyncReport> {
    this.#quarantine.forgetAllBut(state.ports);
    const keys = this.#admitted(state, state.ports.keys()).sort();
    try {
      return await this.#rewrite(state, keys);
    } catch (error) {
      if (!isRefusal(error) || keys.length === 0) throw error;
      const report = await this.#isolate(state, suspects ?? new Set(keys));
      return { ...report, recoveredFrom: { attempt: 'full', cause: error } };
    }
  }

  async #rewrite(state: ProxyState, keys: readonly string[]): Promise<SyncReport> {
    this.#applied = undefined;
    const existing = readExisting(await this.#runner.save(this.family));
    const applied = new AppliedRules(state.node);
    const transaction = new Transaction(applied);
    const script = new RestoreScript();
    writeFixed(script, { node: state.node, options: this.#options, existing });
    for (const change of applied.plan(state, keys)) {
      writePort(script, change);
      transaction.apply(change);
    }
    writeShared(script, applied.shared, state.node);
    writeStale(script, existing, applied.activeChains());
    await this.#restore(script, transaction);
    this.#applied = applied;
    return this.#report('full', applied, script);
  }

  /**
   * The kernel refused a transaction: everything but the suspects is written first, then the suspects in halves, so that in
   * the end only those are missing that are refused by themselves.
   */
  async #isolate(state: ProxyState, suspects: ReadonlySet<string>): Promise<SyncReport> {
    const trusted = this.#admitted(state, state.ports.keys()).filter((key) => !suspects.has(key));
    const report = await this.#rewrite(state, trusted.sort());
    await this.#admit(this.#applied!, state, this.#admitted(state, suspects).sort());
    return { ...report, quarantined: this.#quarantine.list() };
  }

  async #admit(applied: AppliedRules, state: ProxyState, keys: readonly string[]): Promise<void> {
    const script = new RestoreScript();
    const transaction = new Transaction(applied);
    for (const change of applied.plan(state, keys)) {
      writePort(script, change);
      transaction.apply(change);
    }
    // A refused transaction may have left one of the tables changed: shared chains are not edited but written anew.
    writeShared(script, applied.shared, state.node);
    try {
      await this.#restore(script, transaction);
    } catch (error) {
      if (!isRefusal(error)) throw error;
      const [key] = keys;
      if (keys.length > 1) {
        const half = keys.length >> 1;
        await this.#admit(applied, state, keys.slice(0, half));
        await this.#admit(applied, state, keys.slice(half));
      } else if (key !== undefined) this.#quarantine.add(key, state.ports.get(key), error);
    }
  }

  async #restore(script: RestoreScript, transaction?: Transaction): Promise<void> {
    this.#hasWritten = true;
    try {
      const readAll = script.ruleCount('nat') > MANY_RULES && (await this.#usesNft());
      const sections = script.sections({ readAll });
      await this.#runner.restore(this.family, sections, { noflush: true });
    } catch (error) {
      transaction?.undo();
      throw error;
    }
  }

  #usesNft(): Promise<boolean> {
    this.#isNft ??= this.#runner.run(this.family, ['--version']).then(({ stdout }) => stdout.includes('nf_tables'));
    return this.#isNft;
  }

  // Those that are gone count too: their rules are to be removed.
  #admitted(state: ProxyState, keys: Iterable<string>): string[] {
    return [...keys].filter((key) => {
      const selected = state.ports.get(key);
      return selected === this.#quarantine.admitted(key, selected);
    });
  }

  #report(kind: SyncReport['kind'], applied: AppliedRules, script: RestoreScript): SyncReport {
    const filter = applied.shared.count('filter');
    const nat = this.#ruleCount(applied) - filter;
    const fixed = countFixed(applied.node, this.#options);
    return {
      kind,
      quarantined: this.#quarantine.list(),
      rules: {
        filter: { total: fixed.filter + filter, written: script.ruleCount('filter') },
        nat: { total: fixed.nat + nat, written: script.ruleCount('nat') },
      },
    };
  }

  #ruleCount({ ports, shared }: AppliedRules): number {
    let count = shared.count('filter') + shared.count('nat');
    for (const { ruleCount } of ports.values()) count += ruleCount;
    return count;
  }
}
