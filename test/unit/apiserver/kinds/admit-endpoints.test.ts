import { describe, expect, it } from 'vitest';
import { admitEndpoints } from '../../../../src/apiserver/kinds/admit-endpoints.ts';
import type { KindRow } from '../../../../src/apiserver/kinds/kind-table.ts';
import { endpointSliceStrategy, endpointsStrategy } from '../../../../src/apiserver/kinds/other-kinds.ts';
import type { ApiObject } from '../../../../src/apiserver/machinery/api-object.ts';
import type { StrategyContext } from '../../../../src/apiserver/machinery/strategy.ts';

const rows: Readonly<Record<string, KindRow>> = {
  '/endpoints': { strategy: endpointsStrategy },
  'discovery.k8s.io/endpointslices': { strategy: endpointSliceStrategy },
};
const context = {} as StrategyContext;
const metadata = { name: 'web', namespace: 'default' };
const slice = (...addresses: readonly string[]): ApiObject =>
  ({ metadata, addressType: 'IPv4', endpoints: [{ addresses }], ports: [] }) as unknown as ApiObject;
const endpoints = (ip: string): ApiObject =>
  ({ metadata, subsets: [{ addresses: [{ ip }], ports: [{ port: 80, protocol: 'TCP' }] }] }) as unknown as ApiObject;

function messages(key: string, object: ApiObject, admits: (address: string) => boolean): readonly string[] {
  const strategy = admitEndpoints(rows, admits)[key]?.strategy;
  const created = strategy?.validate?.(object, context) ?? [];
  const live = slice('10.0.0.1');
  const updated =
    strategy?.update.validate?.(object, key === '/endpoints' ? endpoints('10.0.0.1') : live, context) ?? [];
  expect(updated.map(({ message }) => message)).toEqual(created.map(({ message }) => message));
  return created.map(({ message }) => message);
}

describe('loopback addresses of endpoints', () => {
  const ours = (address: string): boolean => address.startsWith('127.64.');
  const key = 'discovery.k8s.io/endpointslices';

  it('are refused, as in Kubernetes, unless they are admitted', () => {
    expect(messages(key, slice('127.64.0.2'), () => false)).toEqual([
      expect.stringContaining('may not be in the loopback range'),
    ]);
    expect(messages(key, slice('127.64.0.2'), ours)).toEqual([]);
    expect(messages('/endpoints', endpoints('127.64.0.2'), ours)).toEqual([]);
  });

  it('are judged one by one', () => {
    expect(messages('/endpoints', endpoints('127.0.0.1'), ours)).toEqual([
      expect.stringContaining('"127.0.0.1": may not be in the loopback range'),
    ]);
  });

  it('do not let other faults through', () => {
    expect(messages('/endpoints', endpoints('169.254.0.1'), () => true)).toEqual([
      expect.stringContaining('may not be in the link-local range'),
    ]);
  });
});
