import { closeSync } from 'node:fs';
import { expect, it } from 'vitest';
import { claimName } from '../../../src/kernel/claim-name.ts';

it('gives a name of a network namespace to one at a time, until its descriptor is closed', () => {
  const name = `towtank-test-${process.pid}`;
  const fd = claimName(name);
  expect(fd).toBeTypeOf('number');
  expect(claimName(name)).toBeUndefined();
  closeSync(fd!);
  const again = claimName(name);
  expect(again).toBeTypeOf('number');
  closeSync(again!);
});

it('says what else goes wrong: a name that the kernel refuses is not taken by somebody', () => {
  expect(() => claimName('x'.repeat(200))).toThrow(/bind .* failed: .*EINVAL/);
});
