import { describe, expect, test } from 'vitest';
import { validateRules } from '../../../../../src/apiserver/schema/cel/validate-rules.ts';
import type { StructuralSchema } from '../../../../../src/apiserver/schema/custom/structural-schema.ts';
import { readFixture } from '../../../../helpers/go-fixtures.ts';

interface Fixture {
  readonly object: unknown;
  readonly properties: StructuralSchema['properties'];
  readonly rules: readonly (readonly [rule: string, theirs: string | null])[];
}

const { object, properties, rules } = readFixture<Fixture>('cel-rules.json');

function messages(rule: string): string[] {
  const schema = { type: 'object', properties, 'x-kubernetes-validations': [{ rule }] } as StructuralSchema;
  return validateRules(schema, object, undefined).causes.map(({ message }) => message);
}

describe('a rule is judged as the real server judges it', () => {
  test.each(rules)('%s', (rule, theirs) => {
    expect(messages(rule)).toEqual(theirs === null ? [] : [theirs]);
  });
});

describe('a rule that goes on and on', () => {
  const list = (depth: number): string =>
    depth === 0 ? 'true' : `lists.range(200).all(x${depth}, ${list(depth - 1)})`;

  test('is stopped at a limit, and so are all after it', () => {
    const schema = {
      type: 'object',
      'x-kubernetes-validations': [{ rule: list(4) }, { rule: 'false', message: 'never asked' }],
    };
    const { causes } = validateRules(schema, {}, undefined);
    expect(causes).toHaveLength(1);
    expect(causes[0]?.message).toMatch(/actual cost limit exceeded.*no further validation rules will be run/);
  });

  test('is refused when it is nested without end', () => {
    expect(messages(`${'('.repeat(500)}true${')'.repeat(500)}`)[0]).toMatch(/recursion limit exceeded/);
  });
});

describe('a rule about a change', () => {
  const schema: StructuralSchema = {
    type: 'object',
    properties: {
      a: { type: 'string', 'x-kubernetes-validations': [{ rule: "self == 'good'", message: 'not good' }] },
      b: { type: 'integer', 'x-kubernetes-validations': [{ rule: 'self >= oldSelf', message: 'shrinks' }] },
      c: {
        type: 'integer',
        'x-kubernetes-validations': [
          { rule: 'oldSelf.hasValue() || self == 1', optionalOldSelf: true, message: 'starts at 1' },
        ],
      },
    },
  };

  test('says nothing of a new object', () => {
    expect(validateRules(schema, { b: 1 }, undefined)).toMatchObject({ causes: [], warnings: [] });
  });

  test('compares with what was there', () => {
    const { causes } = validateRules(schema, { b: 1 }, { b: 2 });
    expect(causes).toEqual([{ reason: 'FieldValueInvalid', field: 'b', message: 'Invalid value: 1: shrinks' }]);
  });

  test('with an optional past is asked of new objects too', () => {
    expect(validateRules(schema, { c: 2 }, undefined).causes).toHaveLength(1);
    expect(validateRules(schema, { c: 2 }, { c: 1 }).causes).toHaveLength(0);
  });

  test('only warns of what was wrong before and has not changed', () => {
    const { causes, warnings } = validateRules(schema, { a: 'bad', b: 3 }, { a: 'bad', b: 2 });
    expect(causes).toEqual([]);
    expect(warnings).toEqual(['a: Invalid value: "bad": not good']);
    expect(validateRules(schema, { a: 'worse' }, { a: 'bad' }).causes).toHaveLength(1);
  });
});
