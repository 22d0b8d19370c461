import { printRule } from '../../netfilter/iptables/print-rule.ts';
import { printRules } from '../../netfilter/iptables/print-ruleset.ts';
import type { ChainRules } from '../../netfilter/iptables/restore-input.ts';
import type { Rule } from '../../netfilter/iptables/rule.ts';
import type { Chain, TableName } from '../../netfilter/iptables/ruleset.ts';
import type { SelectedPort } from '../facts/select-endpoints.ts';
import { buildServiceRules } from './build-service-rules.ts';
import type { RuleContext } from './rule-context.ts';

/** A rule of a shared chain as text. */
export interface DispatchLine {
  readonly table: TableName;
  readonly chain: string;
  /** What stands behind `-A CHAIN`. */
  readonly rule: string;
}

/** The rules of one ServicePort as text, ready to be written. */
export interface RenderedPort {
  readonly selected: SelectedPort;
  readonly largeCluster: boolean;
  readonly dispatch: readonly DispatchLine[];
  /** By chain, table nat. */
  readonly chains: ReadonlyMap<string, ChainText>;
  /** What is remembered once they are in the kernel: without the text of the chains, which is most of the memory. */
  readonly applied: AppliedPort;
}

/** The rules of a chain, and how many they are without building them. */
export interface ChainText extends ChainRules {
  readonly count: number;
}

/** What is remembered of a ServicePort whose rules are in the kernel. */
export interface AppliedPort {
  readonly selected: SelectedPort;
  readonly largeCluster: boolean;
  readonly dispatch: readonly DispatchLine[];
  readonly chains: ReadonlySet<string>;
  /** Rules in its own chains. */
  readonly ruleCount: number;
}

// All proxies of a process write the same rules where nothing depends on the node: whoever comes first renders for all. Weak,
// for once written the text is not needed any more.
const rendered = new WeakMap<SelectedPort, Map<string, WeakRef<RenderedPort>>>();

/** Builds and prints the rules of one ServicePort. */
export function renderPort(selected: SelectedPort, context: RuleContext): RenderedPort {
  const key = contextKey(selected, context);
  const known = rendered.get(selected) ?? new Map<string, WeakRef<RenderedPort>>();
  const found = known.get(key)?.deref();
  if (found !== undefined) return found;
  const made = render(selected, context);
  rendered.set(selected, known.set(key, new WeakRef(made)));
  return made;
}

// What of a node shows in the rules of a ServicePort.
function contextKey({ port }: SelectedPort, { node, largeCluster }: RuleContext): string {
  const { localDetector, masqueradeAll, balancing, nodeIP } = node;
  const ranges = port.loadBalancerSourceRanges.length === 0 ? '' : nodeIP;
  return JSON.stringify([largeCluster, masqueradeAll, balancing, localDetector, ranges]);
}

function render(selected: SelectedPort, context: RuleContext): RenderedPort {
  const { dispatch, chains, endpointChains } = buildServiceRules(selected, context);
  const { largeCluster } = context;
  const lines = dispatch.map(({ table, chain, rule }) => ({ table, chain, rule: printRule(rule) }));
  const texts = new Map<string, ChainText>(chains.map((chain) => [chain.name, new LazyText(chain.name, () => chain)]));
  for (const { name, build } of endpointChains) texts.set(name, new LazyText(name, build, ENDPOINT_RULES));
  let ruleCount = 0;
  for (const { count } of texts.values()) ruleCount += count;
  const applied = { selected, largeCluster, dispatch: lines, chains: new Set(texts.keys()), ruleCount };
  return { selected, largeCluster, dispatch: lines, chains: texts, applied };
}

// Masquerade what would loop back, and translate.
const ENDPOINT_RULES = 2;

/** Built and printed when it is written, which chains of endpoints that stay are not. */
class LazyText implements ChainText {
  readonly name: string;
  readonly count: number;
  readonly #build: () => Chain;
  #lines: string | undefined;

  constructor(name: string, build: () => Chain, count = build().rules.length) {
    this.name = name;
    this.#build = build;
    this.count = count;
  }

  get rules(): readonly Rule[] {
    return this.#build().rules;
  }

  get lines(): string {
    this.#lines ??= printRules(this.#build()).join('\n');
    return this.#lines;
  }
}
