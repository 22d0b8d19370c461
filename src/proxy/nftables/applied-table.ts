import { printRule } from '../../netfilter/nftables/print-rule.ts';
import type { Element } from '../../netfilter/nftables/rule.ts';
import type { Chain, SetDeclaration } from '../../netfilter/nftables/table.ts';
import type { Operation } from '../../netfilter/nftables/transaction.ts';
import type { NodeNetwork } from '../facts/node-network.ts';
import type { SelectedPort } from '../facts/select-endpoints.ts';
import { buildPortRules, type PortRules } from './build-port-rules.ts';
import type { RuleContext, SharedElement } from './build-service-chain.ts';
import { type BuiltTable, type DispatchOptions, dispatchOf } from './build-table.ts';
import { compareElements, type ElementChanges, isSameElement } from './compare-elements.ts';
import { type Comparison, compareNamed } from './compare-named.ts';
import type { ElementClaims } from './element-claims.ts';
import { endpointMap, isEndpointMap, setOf } from './shared-sets.ts';

/** What one ServicePort had and shall have. */
export interface PortChange {
  readonly key: string;
  readonly after: SelectedPort | undefined;
}

interface ChangedRules {
  readonly key: string;
  readonly before: PortRules;
  readonly after: PortRules;
}

const nothing: PortRules = { chains: [], affinitySets: [], elements: [] };

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
    const rules: ChangedRules[] = changes.map(({ key, after }) => ({
      key,
      before: this.#build(this.#ports.get(key)),
      after: this.#build(after),
    }));
    const elements = this.#changeElements(rules);
    for (const { key, after } of changes) {
      const before = this.#ports.get(key);
      if (before !== undefined && before !== after) this.#built.delete(before);
      if (after === undefined) this.#ports.delete(key);
      else this.#ports.set(key, after);
    }
    const chains = joined(rules.map(({ before, after }) => compareNamed(before.chains, after.chains, printChain)));
    const sets = joined(
      rules.map(({ before, after }) => compareNamed(before.affinitySets, after.affinitySets, printSet)),
    );
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
    const stood = new Map<
      string,
      { readonly set: string; readonly key: string; readonly element: Element | undefined }
    >();
    const touch = (set: string, key: string): void => {
      const id = `${set} ${key}`;
      if (!stood.has(id)) stood.set(id, { set, key, element: this.#claims.get(set, key) });
    };
    for (const { key: owner, before, after } of rules) {
      const { added, removed } = compareElements(before.elements, after.elements);
      changes.added.push(...added.filter(({ set }) => isEndpointMap(set)));
      changes.removed.push(...removed.filter(({ set }) => isEndpointMap(set)));
      for (const { set, element } of removed) {
        if (isEndpointMap(set)) continue;
        touch(set, element.key);
        this.#claims.remove(set, element.key, owner);
      }
      for (const { set, element } of added) {
        if (isEndpointMap(set)) continue;
        touch(set, element.key);
        this.#claims.add(set, element, owner);
      }
    }
    for (const { set, key, element: before } of stood.values()) {
      const after = this.#claims.get(set, key);
      if (before !== undefined && after !== undefined && isSameElement(before, after)) continue;
      if (before !== undefined) changes.removed.push({ set, element: before });
      if (after !== undefined) changes.added.push({ set, element: after });
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
