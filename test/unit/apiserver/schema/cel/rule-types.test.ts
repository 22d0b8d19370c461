import { describe, expect, test } from 'vitest';
import { validateRuleTexts } from '../../../../../src/apiserver/customresources/validate-rule-texts.ts';
import type { StructuralSchema, ValidationRule } from '../../../../../src/apiserver/schema/custom/structural-schema.ts';
import evaluated from '../../fixtures/cel-rules.json' with { type: 'json' };
import typed from '../../fixtures/cel-types.json' with { type: 'json' };

const properties = evaluated.properties as unknown as NonNullable<StructuralSchema['properties']>;

/** What a definition with this rule at the root of its schema is refused for, behind the rule itself. */
function refusals(rule: ValidationRule, schema: StructuralSchema = { type: 'object', properties }, isRoot = true) {
  const causes = validateRuleTexts(
    { ...schema, 'x-kubernetes-validations': [rule] },
    { path: 'at', isRoot, uncorrelatable: undefined },
  );
  return causes.map(({ field, message }) => `${field}: ${message?.replace(/^Invalid value: \{.*?\}: /s, '')}`);
}

describe('a definition with a rule', () => {
  test.each(Object.entries(typed.rules))('%s', (rule, problem) => {
    const expected = problem === null ? [] : [`at.x-kubernetes-validations[0].rule: ${problem}`];
    expect(refusals({ rule })).toEqual(expected);
  });

  test('is taken when the rule can be evaluated, whatever comes of it', () => {
    for (const [rule, message] of evaluated.rules as unknown as readonly (readonly [string, string | null])[])
      if (!message?.includes('compile error')) expect(refusals({ rule }), rule).toEqual([]);
  });

  test('is refused for a messageExpression that gives no string', () => {
    const rule = 'self.n > 0';
    const place = 'at.x-kubernetes-validations[0].messageExpression';
    expect(refusals({ rule, messageExpression: 'self.n' })).toEqual([
      `${place}: messageExpression must evaluate to a string`,
    ]);
    expect(refusals({ rule, messageExpression: '"n is " + self.n' })[0]).toContain(
      `${place}: messageExpression compilation failed: ERROR: <input>:1:9: found no matching overload for '_+_' applied to '(string, int)'`,
    );
    expect(refusals({ rule, messageExpression: '"n is " + string(self.n)' })).toEqual([]);
  });

  test('knows an old self that may be missing by its own type', () => {
    const rule = 'oldSelf.orValue(self).n <= self.n';
    expect(refusals({ rule, optionalOldSelf: true })).toEqual([]);
    expect(refusals({ rule })[0]).toContain(
      "found no matching overload for 'orValue' applied to 'selfType.(selfType)'",
    );
  });

  test('finds name and generateName at the root and in embedded resources only', () => {
    const rule = 'self.metadata.name == self.kind';
    const embedded: StructuralSchema = { type: 'object', 'x-kubernetes-embedded-resource': true };
    expect(refusals({ rule })).toEqual([]);
    expect(refusals({ rule }, embedded, false)).toEqual([]);
    expect(refusals({ rule }, { type: 'object' }, false)[0]).toContain("undefined field 'metadata'");
  });

  test('says nothing of what has no type', () => {
    const open: StructuralSchema = { 'x-kubernetes-preserve-unknown-fields': true };
    expect(refusals({ rule: 'self.a.b == 1' }, open, false)).toEqual([]);
    expect(refusals({ rule: 'self == 1' }, { 'x-kubernetes-int-or-string': true }, false)).toEqual([]);
  });
});
