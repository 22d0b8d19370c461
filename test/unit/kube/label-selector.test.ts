import { describe, expect, test } from 'vitest';
import {
  hasLabels,
  labelRequirementsOf,
  matchesLabelSelector,
  matchesRequirements,
  parseLabelSelector,
  printLabelSelector,
} from '../../../src/kube/label-selector.ts';

describe('label selectors', () => {
  test.each([
    ['', {}, true],
    ['app=web', { app: 'web' }, true],
    ['app==web', { app: 'x' }, false],
    ['app=', { app: '' }, true],
    ['app!=web', {}, true],
    ['app!=web', { app: 'web' }, false],
    ['app in (web, x)', { app: 'x' }, true],
    ['app notin (web,x)', {}, true],
    ['app notin (web,x)', { app: 'x' }, false],
    ['!service.kubernetes.io/headless', {}, true],
    ['app in (web,x),!zz', { app: 'web', zz: '' }, false],
    ['! zz , app', { app: '' }, true],
    ['n>5', { n: '12' }, true],
    ['n<5', { n: 'four' }, false],
  ])('%s of %j is %s', (text, labels, expected) => {
    expect(matchesRequirements(parseLabelSelector(text), labels)).toBe(expected);
  });

  test.each(['app=web=x', '-a', 'a in x', 'a in (x', ',', 'a,,b', '=x', 'a in (b c)'])('%s is refused', (text) => {
    expect(() => parseLabelSelector(text)).toThrow(/unable to parse requirement/);
  });

  test('an undefined selector selects nothing, an empty one everything', () => {
    expect(matchesLabelSelector(undefined, { a: 'b' })).toBe(false);
    expect(matchesLabelSelector({}, undefined)).toBe(true);
  });

  test('matchLabels and matchExpressions are joined by and', () => {
    const selector = { matchLabels: { app: 'web' }, matchExpressions: [{ key: 'tier', operator: 'Exists' }] };
    expect(matchesLabelSelector(selector, { app: 'web', tier: '' })).toBe(true);
    expect(matchesLabelSelector(selector, { app: 'web' })).toBe(false);
    expect(printLabelSelector(labelRequirementsOf(selector))).toBe('app=web,tier');
  });

  test('print and parse are each other’s inverse', () => {
    const text = 'a=b,c!=d,e in (f,g),h notin (i,j),k,!l,m>1,n<2';
    expect(printLabelSelector(parseLabelSelector(text))).toBe(text);
  });

  test('a Service selector needs every pair', () => {
    expect(hasLabels({ a: '1', b: '2' }, { a: '1', b: '2', c: '3' })).toBe(true);
    expect(hasLabels({ a: '1', b: '2' }, { a: '1' })).toBe(false);
  });
});
