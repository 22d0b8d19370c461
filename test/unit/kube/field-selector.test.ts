import { describe, expect, test } from 'vitest';
import { matchesFields, parseFieldSelector } from '../../../src/kube/field-selector.ts';
import { buildPod } from '../../helpers/build-objects.ts';

describe('field selectors', () => {
  const pod = buildPod({ name: 'a', nodeName: 'node-1' });

  test.each([
    ['', true],
    ['metadata.name=a', true],
    ['metadata.name==a,spec.nodeName=node-1', true],
    ['status.phase!=Running', false],
    ['spec.nodeName!=', true],
    ['spec.hostNetwork=', true],
  ])('%s is %s for a running pod', (text, expected) => {
    expect(matchesFields(parseFieldSelector(text), pod)).toBe(expected);
  });

  test('a backslash escapes commas and equal signs', () => {
    expect(parseFieldSelector('metadata.name=a\\,b\\=c')).toEqual([
      { field: 'metadata.name', operator: '=', value: 'a,b=c' },
    ]);
  });

  test('a term without an operator is refused', () => {
    expect(() => parseFieldSelector('metadata.name')).toThrow(/can't understand 'metadata.name'/);
  });
});
