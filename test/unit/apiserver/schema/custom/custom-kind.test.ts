import { describe, expect, test } from 'vitest';
import { validateRules } from '../../../../../src/apiserver/schema/cel/validate-rules.ts';
import type { FieldCause } from '../../../../../src/apiserver/schema/contract.ts';
import { CustomKind } from '../../../../../src/apiserver/schema/custom/custom-kind.ts';
import type { StructuralSchema } from '../../../../../src/apiserver/schema/custom/structural-schema.ts';
import { validateLists } from '../../../../../src/apiserver/schema/custom/validate-lists.ts';
import { validateValue } from '../../../../../src/apiserver/schema/custom/validate-value.ts';
import { readFixture } from '../../../../helpers/go-fixtures.ts';

interface Case {
  readonly object: object;
  readonly old?: object;
  readonly unknown: readonly string[];
  readonly defaulted: object;
  readonly causes: readonly string[];
  readonly lists: readonly string[];
  readonly rules?: readonly string[];
}

const { schema, cases } = readFixture<{ readonly schema: StructuralSchema; readonly cases: readonly Case[] }>(
  'custom-kind.json',
);
const kind = new CustomKind({
  group: 'tow.example.com',
  version: 'v1',
  kind: 'Boat',
  schema,
  hasStatus: true,
  preserveUnknownFields: false,
});
const types = { apiVersion: 'tow.example.com/v1', kind: 'Boat', metadata: { name: 'x' } };
const sorted = (causes: readonly FieldCause[]): string[] =>
  causes.map(({ field, message }) => `${field}: ${message}`).sort();

function decode(object: object) {
  const { object: decoded, fieldErrors } = kind.decode(Buffer.from(JSON.stringify({ ...types, ...object })), 'json');
  const { metadata: _metadata, ...defaulted } = kind.applyDefaults(decoded);
  return { defaulted, fieldErrors };
}

describe('what the real server makes of random objects of a custom kind', () => {
  test.each(cases.map((given, number) => ({ ...given, number })))('$number', (given) => {
    const { defaulted, fieldErrors } = decode(given.object);
    const { metadata: _metadata, ...named } = types;
    expect(defaulted).toEqual({ ...given.defaulted, ...named });
    expect(fieldErrors).toEqual(given.unknown.map((path) => `unknown field "${path}"`));
    expect(sorted(validateValue(schema, defaulted, undefined))).toEqual([...given.causes].sort());
    expect(sorted(validateLists(schema, defaulted))).toEqual([...given.lists].sort());
    if (!given.rules) return;
    const old = given.old && decode(given.old).defaulted;
    const { causes, warnings } = validateRules(schema, defaulted, old);
    expect([...sorted(causes), ...warnings].sort()).toEqual([...given.rules].sort());
  });
});

describe('a whole resource inside of an object', () => {
  const embedding: StructuralSchema = {
    type: 'object',
    properties: {
      template: {
        type: 'object',
        'x-kubernetes-embedded-resource': true,
        'x-kubernetes-preserve-unknown-fields': true,
      },
    },
  };
  const outer = new CustomKind({
    group: 'tow.example.com',
    version: 'v1',
    kind: 'Dock',
    schema: embedding,
    hasStatus: false,
    preserveUnknownFields: false,
  });
  const fieldsOf = (template: unknown): string[] =>
    outer
      .validate({ ...types, kind: 'Dock', template } as never, undefined, () => {})
      .map(({ field }) => field)
      .sort();

  test('needs its types', () => {
    expect(fieldsOf({ a: 1 })).toEqual(['template.apiVersion', 'template.kind']);
    expect(fieldsOf({ apiVersion: 'v1', kind: 'Pod' })).toEqual([]);
  });

  test('has metadata like every other', () => {
    const types = { apiVersion: 'v1', kind: 'Pod' };
    expect(fieldsOf({ ...types, metadata: { labels: { 'a b': 'c' } } })).toEqual(['template.metadata.labels']);
    expect(fieldsOf({ ...types, metadata: { labels: 5 } })).toEqual(['template.metadata']);
  });
});
