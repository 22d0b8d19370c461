import { expect, test } from 'vitest';
import { emptyAtFirst } from '../../../../src/cluster/compose/empty-at-first.ts';
import { FakeIptables } from '../../../helpers/fake-iptables.ts';

test('only the first look at each family is spared', async () => {
  const kernel = new FakeIptables();
  const runner = emptyAtFirst({
    restore: (...args) => kernel.restore(...args),
    save: (...args) => kernel.save(...args),
    run: (...args) => kernel.run(...args),
  });
  expect(await runner.save('ipv4')).toBe('');
  expect(await runner.save('ipv6')).toBe('');
  for (const family of ['ipv4', 'ipv6'] as const) {
    await runner.restore(family, '*nat\n:KUBE-TEST - [0:0]\nCOMMIT\n', { noflush: true });
    expect(await runner.save(family)).toContain(':KUBE-TEST');
  }
});
