import { printRule } from '../../netfilter/nftables/print-rule.ts';
import type { Chain, SetDeclaration } from '../../netfilter/nftables/table.ts';
import type { Operation } from '../../netfilter/nftables/transaction.ts';
import type { NodeNetwork } from '../facts/node-network.ts';
import type { SelectedPort } from '../facts/select-endpoints.ts';
import { buildPortRules, type PortRules } from './build-port-rules.ts';
import type { ElementChanges, RuleContext, SharedElement } from './build-service-chain.ts';
import { type BuiltTable, type DispatchOptions, dispatchOf } from './build-table.ts';
import { changeEndpoints } from './change-endpoints.ts';
import { compareElements, isSameElement } from './compare-elements.ts';
import { type Comparison, compareNamed } from './compare-named.ts';
import type { ElementClaims, Standing } from './element-claims.ts';
import { endpointMap, isEndpointMap, setOf } from './shared-sets.ts';

/** What one ServicePort had and shall have. */
export interface PortChange {
  readonly key: string;
  readonly after: SelectedPort | undefined;
}

interface ChangedRules {
  readonly key: string;
  readonly chains: Comparison<Chain>;
  readonly affinitySets: Comparison<SetDeclaration>;
  readonly elements: ElementChanges;
}

const nothing: PortRules = { chains: [], affinitySets: [], elements: [] };
const unchanged = { added: [], changed: [], removed: [] };

/** What the kernel holds of a table since the last transaction: enough to say what to change when ServicePorts change. */
export class AppliedTable {
  readonly node: NodeNetwork;
  readonly #options: DispatchOptions;
  readonly #ports: Map<string, SelectedPort>;
  readonly #claims: ElementClaims;
  readonly #context: RuleContext;
  // Of ServicePorts that have changed: those change again, and what stood need not be built a second time.
  readonly #built = new WeakMap<SelectedPort, PortRules>();
  #maps: number;

  /** `options` are those that the table was built with. */
  constructor(node: NodeNetwork, built: BuiltTable, options: DispatchOptions) {
    this.node = node;
    this.#options = options;
    this.#ports = new Map(built.ports);
    this.#claims = built.claims;
    this.#context = { node, dispatch: dispatchOf(built.ports.size, options) };
    this.#maps = options.ranges.maps;
  }

  get size(): number {
    return this.#ports.size;
  }

  get(key: string): SelectedPort | undefined {
    return this.#ports.get(key);
  }

  /** True while a table of this many ServicePorts lists endpoints in the same way. */
  hasFormFor(ports: number): boolean {
    return dispatchOf(ports, this.#options).kind === this.#context.dispatch.kind;
  }

  /**
   * The operations that bring these changes, which from then on count as applied. Throws ERR_INVALID_MANIFEST for a
   * ServicePort that no rules can be made of; nothing is changed then.
   */
  change(changes: readonly PortChange[]): Operation[] {
    const rules = changes.map((change) => this.#compare(change));
    const elements = this.#changeElements(rules);
    for (const { key, after } of changes) {
      const before = this.#ports.get(key);
      if (before !== undefined && before !== after) this.#built.delete(before);
      if (after === undefined) this.#ports.delete(key);
      else this.#ports.set(key, after);
    }
    const chains = joined(rules.map((changed) => changed.chains));
    const sets = joined(rules.map((changed) => changed.affinitySets));
    for (const { name } of chains.removed) this.#options.ranges.release(name);
    return [
      ...this.#newMaps(),
      ...this.#elementOperations('delete-elements', elements.removed),
      ...[...chains.changed, ...chains.removed].map(({ name }): Operation => ({ kind: 'flush-chain', chain: name })),
      ...[...sets.changed, ...sets.removed].map(({ name }): Operation => ({ kind: 'delete-set', set: name })),
      ...[...sets.changed, ...sets.added].map((set): Operation => ({ kind: 'add-set', set })),
      ...chains.added.map(({ name }): Operation => ({ kind: 'add-chain', chain: { name } })),
      ...this.#elementOperations('add-elements', elements.added),
      ...[...chains.added, ...chains.changed].flatMap(addRules),
      ...chains.removed.map(({ name }): Operation => ({ kind: 'delete-chain', chain: name })),
    ];
  }

  #compare({ key, after }: PortChange): ChangedRules {
    const before = this.#ports.get(key);
    const change =
      before === undefined || after === undefined ? undefined : changeEndpoints(before, after, this.#context);
    if (change !== undefined) {
      const chains = { ...unchanged, changed: change.chains };
      return { key, chains, affinitySets: unchanged, elements: change.elements };
    }
    const [old, now] = [this.#build(before), this.#build(after)];
    const affinitySets = compareNamed(old.affinitySets, now.affinitySets, printSet);
    // A set with another timeout is another set: rules that look into it let go of the old one, though they read the same.
    const kept = affinitySets.changed.length === 0 ? new Set<Chain>() : new Set(old.chains);
    const print = (chain: Chain): string => (kept.has(chain) ? 'replaced' : printChain(chain));
    return {
      key,
      chains: compareNamed(old.chains, now.chains, print),
      affinitySets,
      elements: compareElements(old.elements, now.elements),
    };
  }

  #build(selected: SelectedPort | undefined): PortRules {
    if (selected === undefined) return nothing;
    let rules = this.#built.get(selected);
    if (rules === undefined) {
      rules = buildPortRules(selected, this.#context);
      this.#built.set(selected, rules);
    }
    return rules;
  }

  #newMaps(): Operation[] {
    const first = this.#maps;
    this.#maps = Math.max(first, this.#options.ranges.maps);
    return Array.from({ length: this.#maps - first }, (_, index) => ({
      kind: 'add-set',
      set: endpointMap(this.node.family, first + index),
    }));
  }

  // Compares what stands under each key before and after all claims of these ServicePorts have changed.
  #changeElements(rules: readonly ChangedRules[]): ElementChanges {
    const changes: ElementChanges = { added: [], removed: [] };
    const touched = new Map<string, Map<string, Standing>>();
    const note = (set: string, key: string, { before, after }: Standing): void => {
      let ofSet = touched.get(set);
      if (ofSet === undefined) {
        ofSet = new Map();
        touched.set(set, ofSet);
      }
      const first = ofSet.get(key);
      ofSet.set(key, { before: first === undefined ? before : first.before, after });
    };
    for (const { key: owner, elements } of rules) {
      for (const shared of elements.removed) {
        const { set, element } = shared;
        if (isEndpointMap(set)) changes.removed.push(shared);
        else note(set, element.key, this.#claims.remove(set, element.key, owner));
      }
      for (const shared of elements.added) {
        const { set, element } = shared;
        if (isEndpointMap(set)) changes.added.push(shared);
        else note(set, element.key, this.#claims.add(set, element, owner));
      }
    }
    for (const [set, standings] of touched) {
      for (const { before, after } of standings.values()) {
        if (before !== undefined && after !== undefined && isSameElement(before, after)) continue;
        if (before !== undefined) changes.removed.push({ set, element: before });
        if (after !== undefined) changes.added.push({ set, element: after });
      }
    }
    return changes;
  }

  #elementOperations(kind: 'add-elements' | 'delete-elements', elements: readonly SharedElement[]): Operation[] {
    const bySet = Map.groupBy(elements, ({ set }) => set);
    return [...bySet].map(([name, members]) => ({
      kind,
      set: setOf(this.node.family, name),
      elements: members.map(({ element }) => element),
    }));
  }
}

function addRules({ name, rules }: Chain): Operation[] {
  return rules.map((rule) => ({ kind: 'add-rule', chain: name, rule }));
}

const printChain = ({ rules }: Chain): string => rules.map(printRule).join('\n');
const printSet = ({ timeoutSeconds }: SetDeclaration): string => String(timeoutSeconds);

function joined<T>(parts: readonly Comparison<T>[]): Comparison<T> {
  return {
    added: parts.flatMap(({ added }) => added),
    changed: parts.flatMap(({ changed }) => changed),
    removed: parts.flatMap(({ removed }) => removed),
  };
}
