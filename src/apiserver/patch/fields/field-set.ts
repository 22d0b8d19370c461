import { compareElements, normalizeElement, type PathElement } from './path-element.ts';

/** What a set knows of one step: whether the path up to here is in the set, and which longer ones are. */
interface FieldNode {
  readonly member: boolean;
  readonly children: FieldSet;
}

/** FieldsV1: a field set as managedFields holds it. */
export type FieldsV1 = Readonly<Record<string, unknown>>;

/** An immutable set of paths to fields. */
export class FieldSet {
  static readonly empty = new FieldSet(new Map());
  readonly #nodes: ReadonlyMap<PathElement, FieldNode>;

  constructor(nodes: ReadonlyMap<PathElement, FieldNode>) {
    this.#nodes = nodes;
  }

  /** Reads FieldsV1. Throws an Error when it is malformed. */
  static parse(fields: FieldsV1): FieldSet {
    let known = parsed.get(fields);
    if (known === undefined) {
      known = parseFields(fields).children;
      parsed.set(fields, known);
    }
    return known;
  }

  /** The set of these paths. */
  static of(...paths: readonly (readonly PathElement[])[]): FieldSet {
    const builder = new FieldSetBuilder();
    for (const path of paths) builder.insert(path);
    return builder.build();
  }

  get isEmpty(): boolean {
    for (const { member, children } of this.#nodes.values()) if (member || !children.isEmpty) return false;
    return true;
  }

  /** True when the path of this one step is in the set. */
  hasMember(element: PathElement): boolean {
    return this.#nodes.get(element)?.member ?? false;
  }

  has(path: readonly PathElement[]): boolean {
    const last = path.at(-1);
    if (last === undefined) return false;
    let at: FieldSet = this;
    for (const element of path.slice(0, -1)) at = at.below(element);
    return at.hasMember(last);
  }

  /** The paths that go on behind this step, without it. */
  below(element: PathElement): FieldSet {
    return this.#nodes.get(element)?.children ?? FieldSet.empty;
  }

  elements(): Iterable<PathElement> {
    return this.#nodes.keys();
  }

  union(other: FieldSet): FieldSet {
    if (this.#nodes.size === 0) return other;
    if (other.#nodes.size === 0) return this;
    const nodes = new Map(this.#nodes);
    for (const [element, node] of other.#nodes) {
      const mine = nodes.get(element);
      const both = mine && { member: mine.member || node.member, children: mine.children.union(node.children) };
      nodes.set(element, both ?? node);
    }
    return new FieldSet(nodes);
  }

  intersection(other: FieldSet): FieldSet {
    return this.#map((element, { member, children }) => {
      const theirs = other.#nodes.get(element);
      return theirs && { member: member && theirs.member, children: children.intersection(theirs.children) };
    });
  }

  /** The paths that are not in `other`; those that only begin with one of its paths stay. */
  difference(other: FieldSet): FieldSet {
    if (!this.#meets(other)) return this;
    return this.#map((element, node) => {
      const theirs = other.#nodes.get(element);
      if (theirs === undefined) return node;
      return { member: node.member && !theirs.member, children: node.children.difference(theirs.children) };
    });
  }

  /** The paths that are not in `other` and do not begin with one of its paths. */
  recursiveDifference(other: FieldSet): FieldSet {
    if (!this.#meets(other)) return this;
    return this.#map((element, node) => {
      const theirs = other.#nodes.get(element);
      if (theirs === undefined) return node;
      if (theirs.member) return undefined;
      return { member: node.member, children: node.children.recursiveDifference(theirs.children) };
    });
  }

  // True when some first step is common to both.
  #meets(other: FieldSet): boolean {
    if (this.#nodes.size === 0) return false;
    for (const element of other.#nodes.keys()) if (this.#nodes.has(element)) return true;
    return false;
  }

  /** Each node changed; undefined drops it, and what holds nothing any more is dropped as well. */
  #map(change: (element: PathElement, node: FieldNode) => FieldNode | undefined): FieldSet {
    const nodes = new Map<PathElement, FieldNode>();
    for (const [element, node] of this.#nodes) {
      const changed = change(element, node);
      if (changed !== undefined && (changed.member || changed.children.#nodes.size > 0)) nodes.set(element, changed);
    }
    return nodes.size === 0 ? FieldSet.empty : new FieldSet(nodes);
  }

  /** With the paths of one step that `isMember` asks for among those that longer paths begin with; `below` does the same further down. */
  withMembers(
    isMember: (element: PathElement) => boolean,
    below: (element: PathElement, set: FieldSet) => FieldSet,
  ): FieldSet {
    return this.#map((element, { member, children }) => ({
      member: member || (children.#nodes.size > 0 && isMember(element)),
      children: children.#nodes.size > 0 ? below(element, children) : children,
    }));
  }

  /** All paths: those of one step in order, then the longer ones. */
  paths(): (readonly PathElement[])[] {
    const sorted = this.#sorted();
    return [
      ...sorted.filter(([, { member }]) => member).map(([element]) => [element]),
      ...sorted.flatMap(([element, { children }]) => children.paths().map((path) => [element, ...path])),
    ];
  }

  toFieldsV1(): FieldsV1 {
    const fields = fieldsOf(this.#sorted());
    parsed.set(fields, this);
    return fields;
  }

  #sorted(): [PathElement, FieldNode][] {
    const nodes = [...this.#nodes];
    return nodes.length > 1 ? nodes.sort(([a], [b]) => compareElements(a, b)) : nodes;
  }

  /** FieldsV1 of what lies below, `.` standing for the path itself. */
  fieldsBelow(member: boolean): FieldsV1 {
    if (this.#nodes.size === 0) return NOTHING_BELOW;
    return fieldsOf(this.#sorted(), member ? { '.': NOTHING_BELOW } : {});
  }
}

// managedFields of stored objects are shared and never change, so that each is parsed once.
const parsed = new WeakMap<FieldsV1, FieldSet>();

const NOTHING_BELOW: FieldsV1 = Object.freeze({});

function fieldsOf(nodes: readonly [PathElement, FieldNode][], fields: Record<string, unknown> = {}): FieldsV1 {
  for (const [element, { member, children }] of nodes) fields[element] = children.fieldsBelow(member);
  return fields;
}

function parseFields(fields: unknown): FieldNode {
  if (typeof fields !== 'object' || fields === null || Array.isArray(fields)) throw new Error('expected an object');
  const nodes = new Map<PathElement, FieldNode>();
  let member = false;
  for (const [key, inner] of Object.entries(fields)) {
    if (key === '.') member = true;
    else {
      const element = normalizeElement(key);
      if (element !== undefined) nodes.set(element, parseFields(inner));
    }
  }
  return { member: member || nodes.size === 0, children: nodes.size === 0 ? FieldSet.empty : new FieldSet(nodes) };
}

interface Growing {
  member: boolean;
  // Most fields have none.
  children: Map<PathElement, Growing> | undefined;
}

/** Collects paths into a FieldSet. */
export class FieldSetBuilder {
  readonly #root: Growing = { member: false, children: undefined };

  /** Adds a path; the empty one is no field and ignored. */
  insert(path: readonly PathElement[]): void {
    let at = this.#root;
    for (const element of path) {
      at.children ??= new Map();
      let next = at.children.get(element);
      if (next === undefined) {
        next = { member: false, children: undefined };
        at.children.set(element, next);
      }
      at = next;
    }
    at.member = true;
  }

  build(): FieldSet {
    return grown(this.#root.children);
  }
}

function grown(children: ReadonlyMap<PathElement, Growing> | undefined): FieldSet {
  if (children === undefined) return FieldSet.empty;
  const nodes = new Map<PathElement, FieldNode>();
  for (const [element, { member, children: below }] of children) nodes.set(element, { member, children: grown(below) });
  return new FieldSet(nodes);
}
