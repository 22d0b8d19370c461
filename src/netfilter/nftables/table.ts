import type { Element, Rule } from './rule.ts';

export type TableFamily = 'ip' | 'ip6' | 'inet';
export type HookName = 'prerouting' | 'input' | 'forward' | 'output' | 'postrouting';

/** Where the kernel enters a base chain. Lower priorities run first. */
export interface Hook {
  readonly type: 'filter' | 'nat' | 'route';
  readonly hook: HookName;
  readonly priority: number;
  readonly policy: 'accept' | 'drop';
}

export interface ChainDeclaration {
  readonly name: string;
  /** Base chains have one, others are only jumped to. */
  readonly hook?: Hook | undefined;
  readonly comment?: string | undefined;
}

export interface Chain extends ChainDeclaration {
  readonly rules: readonly Rule[];
}

/** Type of one field of an element; `number` is what a number generator yields. */
export type DataType =
  | 'ipv4_addr'
  | 'ipv6_addr'
  | 'inet_proto'
  | 'inet_service'
  | 'ifname'
  | 'mark'
  | 'number'
  /** Of a foreign set that is only compared by text. */
  | 'other';

export type SetFlag = 'interval' | 'dynamic' | 'timeout';

export interface SetDeclaration {
  readonly name: string;
  readonly key: readonly DataType[];
  /** Makes it a map, or a verdict map. */
  readonly data?: 'verdict' | readonly DataType[] | undefined;
  readonly flags: readonly SetFlag[];
  /** Elements put in by packets leave after this many seconds. */
  readonly timeoutSeconds?: number | undefined;
  readonly comment?: string | undefined;
}

/** A set or map with its elements by key. */
export interface NamedSet extends SetDeclaration {
  readonly elements: ReadonlyMap<string, Element>;
}

/** One table. Chains and sets are in the order of declaration. */
export interface Table {
  readonly family: TableFamily;
  readonly name: string;
  readonly comment?: string | undefined;
  readonly chains: ReadonlyMap<string, Chain>;
  readonly sets: ReadonlyMap<string, NamedSet>;
}
