import type { KubeObject } from '../../../kube/resources.ts';
import { ApiStatusError } from '../../../kube/status.ts';
import { invalid } from '../../validation/field-errors.ts';
import {
  cannotBeHandled,
  groupVersionKindOf,
  typeMetaOf,
  unrecognized,
  wrongVersion,
  yamlWarnings,
} from '../body-errors.ts';
import { canonicalForm, cloneJson, TypeMismatch } from '../canonical-form.ts';
import { validateRules } from '../cel/validate-rules.ts';
import type { BodyFormat, DecodedObject, FieldCause, GroupVersionKind, KindSchema, SchemaNode } from '../contract.ts';
import { readConfiguration } from '../read-configuration.ts';
import { type ParsedText, readJsonText, readYamlText } from '../read-text.ts';
import { strictFindings } from '../strict-json.ts';
import { dropNulls, fillDefaults } from './fill-defaults.ts';
import { hasRules } from './has-rules.ts';
import { pruneFields } from './prune-fields.ts';
import { metadataNode, nodeOfSchema, type StructuralSchema } from './structural-schema.ts';
import { validateEmbedded } from './validate-embedded.ts';
import { validateLists } from './validate-lists.ts';
import { validateValue } from './validate-value.ts';

/** One version of a CRD, as its objects are decoded and checked by it. */
export interface CustomVersion extends GroupVersionKind {
  /** `schema.openAPIV3Schema`; undefined keeps everything. */
  readonly schema: StructuralSchema | undefined;
  readonly hasStatus: boolean;
  /** `spec.preserveUnknownFields` of old CRDs: nothing is pruned. */
  readonly preserveUnknownFields: boolean;
}

/** The root as the strict decoder sees it: only metadata has a Go type. */
const metaRoot: SchemaNode = {
  type: 'any',
  goType: 'interface {}',
  fields: new Map([
    [
      'metadata',
      {
        name: 'metadata',
        node: metadataNode(),
        required: false,
        pointer: false,
        omitEmpty: true,
        omitZero: false,
        protobufNumber: 0,
      },
    ],
  ]),
};

/** A kind that a CRD defines. */
export class CustomKind implements KindSchema {
  readonly group: string;
  readonly version: string;
  readonly kind: string;
  readonly custom = true;
  readonly hasStatus: boolean;
  readonly node: SchemaNode;
  readonly #schema: StructuralSchema | undefined;
  readonly #prunes: boolean;

  constructor(definition: CustomVersion) {
    this.group = definition.group;
    this.version = definition.version;
    this.kind = definition.kind;
    this.hasStatus = definition.hasStatus;
    this.#schema = definition.schema;
    this.#prunes = !definition.preserveUnknownFields && definition.schema !== undefined;
    this.node = nodeOfSchema(this.#prunes ? definition.schema : undefined);
  }

  decode(body: Buffer, format: BodyFormat): DecodedObject {
    if (format === 'protobuf')
      throw new ApiStatusError(
        'UnsupportedMediaType',
        'the body of the request was in an unknown format - accepted media types include: application/json, application/yaml',
      );
    const { value, fieldErrors } = format === 'json' ? this.#readJson(body) : readYamlText(body, this);
    return this.#decode(value, fieldErrors, body);
  }

  decodeValue(value: unknown): DecodedObject {
    return this.#decode(value, [], undefined);
  }

  readConfiguration(body: Buffer): DecodedObject {
    return readConfiguration(body);
  }

  applyDefaults<T extends KubeObject>(object: T): T {
    if (this.#schema === undefined) return object;
    const { metadata, apiVersion, kind, ...rest } = object;
    const filled = fillDefaults(this.#schema, rest) as T;
    return {
      ...(kind === undefined ? {} : { kind }),
      ...(apiVersion === undefined ? {} : { apiVersion }),
      metadata,
      ...filled,
    };
  }

  /** The object without what this version's schema does not know. */
  prune<T extends KubeObject>(object: T): T {
    return this.#prunes ? (pruneFields(this.#schema!, object).value as T) : object;
  }

  validate(object: KubeObject, previous: KubeObject | undefined, warn: (text: string) => void): readonly FieldCause[] {
    const causes = this.#kindCauses(object);
    if (this.#schema === undefined) return causes;
    const [now, before] = [content(object), previous && content(previous)];
    const found = [
      ...causes,
      ...validateValue(this.#schema, now, before),
      ...validateEmbedded(this.#schema, now),
      ...this.#listCauses(now, before),
    ];
    if (found.some(({ reason }) => blocking.has(reason)))
      return hasRules(this.#schema) ? [...found, notChecked] : found;
    const { causes: broken, warnings } = validateRules(this.#schema, now, before);
    for (const warning of warnings) warn(warning);
    return [...found, ...broken];
  }

  #kindCauses({ kind, apiVersion }: KubeObject): FieldCause[] {
    const expected = `${this.group}/${this.version}`;
    return [
      ...(kind === this.kind ? [] : [invalid('kind', kind ?? '', `must be ${this.kind}`)]),
      ...(apiVersion === expected ? [] : [invalid('apiVersion', apiVersion ?? '', `must be ${expected}`)]),
    ];
  }

  // Lists that were wrong before an update may stay wrong.
  #listCauses(now: unknown, before: unknown): FieldCause[] {
    if (before !== undefined && validateLists(this.#schema!, before).length > 0) return [];
    return validateLists(this.#schema!, now);
  }

  #readJson(body: Buffer): ParsedText {
    const { value, text, hasDuplicates } = readJsonText(body, this);
    return { value, fieldErrors: hasDuplicates ? strictFindings(text, undefined).fieldErrors : [] };
  }

  #decode(value: unknown, strictErrors: readonly string[], body: Buffer | undefined): DecodedObject {
    this.#checkType(value, body ?? Buffer.from(JSON.stringify(value) ?? ''));
    const given = cloneJson(value ?? {}) as KubeObject;
    const { metadata, unknownFields } = this.#metadata(given);
    const pruned = this.#prunes ? pruneFields(this.#schema!, given) : { value: given, unknownFields: [] };
    const {
      metadata: _metadata,
      kind,
      apiVersion: _version,
      ...rest
    } = dropNulls(this.#schema, pruned.value) as KubeObject;
    const fieldErrors = [
      ...strictErrors,
      ...unknownFields,
      ...pruned.unknownFields.map((path) => `unknown field "${path}"`),
    ];
    return {
      object: { kind: kind || this.kind, apiVersion: `${this.group}/${this.version}`, metadata, ...rest },
      fieldErrors,
      warnings: fieldErrors.flatMap(yamlWarnings),
    };
  }

  // Another kind is told by validation, another version here.
  #checkType(value: unknown, body: Buffer): void {
    let given: GroupVersionKind;
    try {
      if (typeof value !== 'object' || Array.isArray(value)) typeMetaOf(value);
      given = groupVersionKindOf(typeMetaOf(value), this);
    } catch (error) {
      throw unrecognized(this, (error as Error).message, body);
    }
    if (given.group !== this.group || given.version !== this.version)
      throw wrongVersion(given.group === '' ? given.version : `${given.group}/${given.version}`, this);
  }

  #metadata(given: KubeObject): {
    readonly metadata: KubeObject['metadata'];
    readonly unknownFields: readonly string[];
  } {
    const { metadata = {} } = given;
    try {
      const { value, unknownFields } = canonicalForm(metadataNode(), metadata);
      if (!unknownFields) return { metadata: withResets(value, metadata), unknownFields: [] };
      const { fieldErrors } = strictFindings(JSON.stringify({ metadata }), metaRoot);
      return { metadata: withResets(value, metadata), unknownFields: fieldErrors };
    } catch (error) {
      if (!(error instanceof TypeMismatch)) throw error;
      const { fatal } = strictFindings(JSON.stringify({ metadata }), metaRoot);
      throw cannotBeHandled(this, this, fatal ?? 'metadata does not match its type');
    }
  }
}

// An empty list of managedFields is an order to forget them.
function withResets(value: unknown, given: KubeObject['metadata']): KubeObject['metadata'] {
  const isReset = Array.isArray(given?.managedFields) && given.managedFields.length === 0;
  return { ...(value as object), ...(isReset ? { managedFields: [] } : {}) };
}

// resourceVersion and managedFields are no business of a schema.
function content({ metadata, ...rest }: KubeObject): object {
  const { name, generateName } = metadata ?? {};
  return {
    ...rest,
    metadata: { ...(name === undefined ? {} : { name }), ...(generateName === undefined ? {} : { generateName }) },
  };
}

const blocking: ReadonlySet<string> = new Set([
  'FieldValueRequired',
  'FieldValueTooLong',
  'FieldValueTooMany',
  'FieldValueNotSupported',
  'FieldValueTypeInvalid',
]);

const notChecked = {
  ...invalid(
    '<nil>',
    null,
    'some validation rules were not checked because the object was invalid; correct the existing errors to complete validation',
  ),
};
