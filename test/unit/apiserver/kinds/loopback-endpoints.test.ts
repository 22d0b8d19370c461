import { describe, expect, it } from 'vitest';
import { endpointSliceStrategy, endpointsStrategy } from '../../../../src/apiserver/kinds/other-kinds.ts';
import type { ApiObject } from '../../../../src/apiserver/machinery/api-object.ts';
import type { StrategyContext } from '../../../../src/apiserver/machinery/strategy.ts';
import type { AdmitsLoopback } from '../../../../src/apiserver/validation/addresses.ts';
import { validateService } from '../../../../src/apiserver/validation/service.ts';
import { buildService } from '../../../helpers/build-objects.ts';

const strategies = { '/endpoints': endpointsStrategy, 'discovery.k8s.io/endpointslices': endpointSliceStrategy };
const context = {} as StrategyContext;
const metadata = { name: 'web', namespace: 'default' };
const slice = (...addresses: readonly string[]): ApiObject =>
  ({ metadata, addressType: 'IPv4', endpoints: [{ addresses }], ports: [] }) as unknown as ApiObject;
const endpoints = (ip: string): ApiObject =>
  ({ metadata, subsets: [{ addresses: [{ ip }], ports: [{ port: 80, protocol: 'TCP' }] }] }) as unknown as ApiObject;

function messages(key: keyof typeof strategies, object: ApiObject, admits?: AdmitsLoopback): readonly string[] {
  const strategy = strategies[key](admits);
  const created = strategy.validate?.(object, context) ?? [];
  const live = slice('10.0.0.1');
  const updated =
    strategy.update.validate?.(object, key === '/endpoints' ? endpoints('10.0.0.1') : live, context) ?? [];
  expect(updated.map(({ message }) => message)).toEqual(created.map(({ message }) => message));
  return created.map(({ message }) => message);
}

describe('loopback addresses of endpoints', () => {
  const ours = (address: string): boolean => address.startsWith('127.64.');
  const key = 'discovery.k8s.io/endpointslices';

  it('are refused, as in Kubernetes, unless they are admitted', () => {
    for (const admits of [undefined, () => false]) {
      expect(messages(key, slice('127.64.0.2'), admits)).toEqual([
        expect.stringContaining('may not be in the loopback range'),
      ]);
    }
    expect(messages(key, slice('127.64.0.2'), ours)).toEqual([]);
    expect(messages('/endpoints', endpoints('127.64.0.2'), ours)).toEqual([]);
  });

  it('are judged one by one', () => {
    expect(messages('/endpoints', endpoints('127.0.0.1'), ours)).toEqual([
      expect.stringContaining('"127.0.0.1": may not be in the loopback range'),
    ]);
  });

  it('are external IPs of Services just so', () => {
    const service = buildService({ name: 'web' });
    const external = { ...service, spec: { ...service.spec, externalIPs: ['127.64.0.2', '127.0.0.1'] } };
    const refused = (admits?: AdmitsLoopback): readonly string[] =>
      validateService(external, undefined, admits)
        .filter(({ message }) => message.includes('loopback'))
        .map(({ field }) => field ?? '');
    expect(refused()).toEqual(['spec.externalIPs[0]', 'spec.externalIPs[1]']);
    expect(refused(ours)).toEqual(['spec.externalIPs[1]']);
  });

  it('do not let other faults through', () => {
    expect(messages('/endpoints', endpoints('169.254.0.1'), () => true)).toEqual([
      expect.stringContaining('may not be in the link-local range'),
    ]);
  });
});
