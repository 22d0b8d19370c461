import type { KubeObject } from '../../kube/resources.ts';
import {
  cannotBeHandled,
  groupVersionKindOf,
  typeMetaOf,
  unrecognized,
  wrongVersion,
  yamlWarnings,
} from './body-errors.ts';
import { canonicalForm, TypeMismatch } from './canonical-form.ts';
import type { BodyFormat, DecodedObject, FieldCause, GroupVersionKind, KindSchema } from './contract.ts';
import type { StructNode } from './published-nodes.ts';
import { readConfiguration } from './read-configuration.ts';
import { readJsonText, readYamlText } from './read-text.ts';
import { type StrictFindings, strictFindings } from './strict-json.ts';
import { tables } from './tables.ts';

/** What a published kind asks of the registry and of rooms that are loaded when they are needed. */
export interface PublishedKindSurroundings {
  /** Undefined for a kind that nobody knows. */
  readonly find: (kind: GroupVersionKind) => KindSchema | undefined;
  readonly decodeProtobuf: (kind: GroupVersionKind, body: Buffer) => unknown;
  readonly applyDefaults: <T extends KubeObject>(node: StructNode, object: T) => T;
}

interface Body {
  readonly value: unknown;
  /** The value as JSON, for the exact look. */
  readonly text: () => string;
  /** Only the exact look can tell what the fields' errors are. */
  readonly suspicious: boolean;
  readonly yamlErrors: readonly string[];
}

/** A kind of the published API. */
export class PublishedKind implements KindSchema {
  readonly group: string;
  readonly version: string;
  readonly kind: string;
  readonly custom = false;
  readonly hasStatus: boolean;
  readonly node: StructNode;
  readonly #surroundings: PublishedKindSurroundings;

  constructor(kind: GroupVersionKind, node: StructNode, surroundings: PublishedKindSurroundings) {
    this.group = kind.group;
    this.version = kind.version;
    this.kind = kind.kind;
    this.node = node;
    this.hasStatus = withStatus().has(`${kind.group}/${kind.version}/${kind.kind}`);
    this.#surroundings = surroundings;
  }

  decode(body: Buffer, format: BodyFormat): DecodedObject {
    if (format === 'protobuf') {
      const value = this.#surroundings.decodeProtobuf(this, body);
      return this.decodeValue(value);
    }
    return this.#decode(format === 'json' ? this.#readJson(body) : this.#readYaml(body), body);
  }

  decodeValue(value: unknown): DecodedObject {
    return this.#decode({ value, text: () => JSON.stringify(value), suspicious: false, yamlErrors: [] }, undefined);
  }

  readConfiguration(body: Buffer): DecodedObject {
    return readConfiguration(body);
  }

  applyDefaults<T extends KubeObject>(object: T): T {
    return this.#surroundings.applyDefaults(this.node, object);
  }

  validate(): readonly FieldCause[] {
    return [];
  }

  #readJson(body: Buffer): Body {
    const { value, text, hasDuplicates, hasUnusualNumbers } = readJsonText(body, this);
    return { value, text: () => text, suspicious: hasUnusualNumbers || hasDuplicates, yamlErrors: [] };
  }

  #readYaml(body: Buffer): Body {
    const { value, fieldErrors } = readYamlText(body, this);
    // Go's YAML becomes JSON with sorted keys before it is looked at.
    return { value, text: () => JSON.stringify(sorted(value)), suspicious: true, yamlErrors: fieldErrors };
  }

  #decode(body: Body, bytes: Buffer | undefined): DecodedObject {
    const given = this.#kindOf(body.value, bytes);
    if (given.group !== this.group || given.version !== this.version || given.kind !== this.kind)
      this.#refuse(given, body);
    const { value, findings } = this.#convert(body);
    if (findings.fatal !== undefined) throw cannotBeHandled(this, this, findings.fatal);
    const errors = [...body.yamlErrors, ...findings.fieldErrors];
    return {
      object: this.#typed(value as object, body.value),
      fieldErrors: errors,
      warnings: errors.flatMap(yamlWarnings),
    };
  }

  // The quick way, and where that finds something amiss, the exact one for what the real server says of it.
  #convert(body: Body): { readonly value: unknown; readonly findings: StrictFindings } {
    let form: ReturnType<typeof canonicalForm> | undefined;
    try {
      form = canonicalForm(this.node, body.value ?? {});
    } catch (error) {
      if (!(error instanceof TypeMismatch)) throw error;
    }
    if (form !== undefined && !form.unknownFields && !body.suspicious) return { value: form.value, findings: nothing };
    const findings = strictFindings(body.text(), this.node);
    if (form !== undefined || findings.fatal !== undefined) return { value: form?.value, findings };
    return { value: undefined, findings: { fatal: 'a value does not match its type', fieldErrors: [] } };
  }

  #kindOf(value: unknown, bytes: Buffer | undefined): GroupVersionKind {
    try {
      return groupVersionKindOf(typeMetaOf(value), this);
    } catch (error) {
      throw unrecognized(this, (error as Error).message, bytes ?? Buffer.from(JSON.stringify(value) ?? ''));
    }
  }

  #typed(value: object, body: unknown): KubeObject {
    const apiVersion = this.group === '' ? this.version : `${this.group}/${this.version}`;
    const object: KubeObject = { ...{ kind: this.kind, apiVersion }, ...value, ...{ kind: this.kind, apiVersion } };
    // Go omits empty lists, but this one is an order to forget all owners, which nothing else tells from silence.
    return resetsManagedFields(body) ? { ...object, metadata: { ...object.metadata, managedFields: [] } } : object;
  }

  // The body is something else: it is decoded as that first, and what is wrong with it is told first.
  #refuse(given: GroupVersionKind, body: Body): never {
    const groupVersion = given.group === '' ? given.version : `${given.group}/${given.version}`;
    if (given.version === '') throw cannotBeHandled(given, this, `Object 'apiVersion' is missing in '${body.text()}'`);
    const other = this.#surroundings.find(given);
    if (!(other instanceof PublishedKind)) throw cannotBeHandled(given, this, notRegistered(given.kind, groupVersion));
    const { fatal } = other.#convert(body).findings;
    if (fatal !== undefined) throw cannotBeHandled(given, this, fatal);
    const internal = internalName(this);
    // The same thing in another version or, as core and events.k8s.io Events, under another group.
    if (internalName(given) === internal) throw wrongVersion(groupVersion, this);
    throw cannotBeHandled(given, this, `converting (${other.node.goType}) to (${internal}): unknown conversion`);
  }
}

function resetsManagedFields(body: unknown): boolean {
  const { managedFields } = (body as KubeObject | null)?.metadata ?? {};
  return Array.isArray(managedFields) && managedFields.length === 0;
}

const internalName = ({ group, kind }: GroupVersionKind): string =>
  `${tables.internalPackages[group] ?? group}.${kind}`;
const notRegistered = (kind: string, groupVersion: string): string =>
  `no kind "${kind}" is registered for version "${groupVersion}" in scheme "pkg/api/legacyscheme/scheme.go:30"`;

let statusKinds: ReadonlySet<string> | undefined;

function withStatus(): ReadonlySet<string> {
  statusKinds ??= new Set(tables.resources.filter((row) => row[3] === 'status').map((row) => row[5]));
  return statusKinds;
}

const nothing: StrictFindings = { fatal: undefined, fieldErrors: [] };

function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([key, inner]) => [key, sorted(inner)]),
  );
}
