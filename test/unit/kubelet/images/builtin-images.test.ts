import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { builtinImages } from '../../../../src/kubelet/images/builtin-images.ts';

test('every built-in image is in the reference', () => {
  const reference = readFileSync(new URL('../../../../docs/reference/images.md', import.meta.url), 'utf8');
  const missing = builtinImages.flatMap(({ names }) => names).filter((name) => !reference.includes(`\`${name}\``));
  expect(missing).toEqual([]);
});

test('no two built-in images answer to the same name', () => {
  const names = builtinImages.flatMap((image) => image.names);
  expect(new Set(names).size).toBe(names.length);
});
