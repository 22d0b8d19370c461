import { describe, expect, test } from 'vitest';
import { expandVariables } from '../../../../src/kubelet/container/expand-variables.ts';

const variables = { NAME: 'web', EMPTY: '', NESTED: '$(NAME)' };

describe('$(NAME) in commands and variables', () => {
  test.each([
    ['$(NAME)-$(NAME)', 'web-web'],
    ['$(EMPTY)', ''],
    ['$(UNKNOWN)', '$(UNKNOWN)'],
    ['$$(NAME)', '$(NAME)'],
    ['$$$(NAME)', '$web'],
    ['$NAME $', '$NAME $'],
    ['price $$5', 'price $5'],
    ['$(NAME', '$(NAME'],
    ['$(toString)', '$(toString)'],
    ['$(NESTED)', '$(NAME)'],
  ])('%s becomes %s', (text, expected) => {
    expect(expandVariables(text, variables)).toBe(expected);
  });
});
