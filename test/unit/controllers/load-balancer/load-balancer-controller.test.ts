import { describe, expect, test } from 'vitest';
import { startLoadBalancerController } from '../../../../src/controllers/load-balancer/load-balancer-controller.ts';
import type { Service, ServiceSpec } from '../../../../src/kube/generated/types.ts';
import { resources } from '../../../../src/kube/resources.ts';
import { buildService } from '../../../helpers/build-objects.ts';
import { ControllerHarness } from '../../../helpers/controller-harness.ts';

const POOLS = ['172.18.255.0/29', 'fc00::ff00/125'];
const lb = (name: string, spec: Partial<ServiceSpec> = {}): Service =>
  buildService({ name, type: 'LoadBalancer', spec });
async function run(services: readonly Service[], options = {}) {
  const harness = new ControllerHarness();
  harness.client.put(resources.services, ...services);
  return harness.start((context) => startLoadBalancerController(context, { loadBalancerCIDRs: POOLS, ...options }));
}
const get = (harness: ControllerHarness, name: string) => harness.client.peek(resources.services, `default/${name}`);
const ingress = (harness: ControllerHarness, name: string) =>
  get(harness, name)?.status?.loadBalancer?.ingress?.map(({ ip }) => ip);

describe('load balancer addresses (S08)', () => {
  test('each Service gets its own, with the VIP mode, a finalizer and events', async () => {
    using harness = await run([lb('a'), lb('b')]);
    expect(get(harness, 'a')?.status?.loadBalancer).toEqual({ ingress: [{ ip: '172.18.255.1', ipMode: 'VIP' }] });
    expect(get(harness, 'a')?.metadata?.finalizers).toEqual(['service.kubernetes.io/load-balancer-cleanup']);
    expect(ingress(harness, 'b')).toEqual(['172.18.255.2']);
    expect(await harness.events()).toEqual(
      expect.arrayContaining([
        'EnsuringLoadBalancer Ensuring load balancer',
        'EnsuredLoadBalancer Ensured load balancer',
      ]),
    );
    expect(harness.failures).toEqual([]);
  });

  test('a dual stack Service gets one of each family in its own order', async () => {
    using harness = await run([lb('a', { ipFamilies: ['IPv6', 'IPv4'] })]);
    expect(ingress(harness, 'a')).toEqual(['fc00::ff01', '172.18.255.1']);
  });

  test('the mode can be Proxy', async () => {
    using harness = await run([lb('a')], { loadBalancerIPMode: 'Proxy' });
    expect(get(harness, 'a')?.status?.loadBalancer?.ingress).toEqual([{ ip: '172.18.255.1', ipMode: 'Proxy' }]);
  });

  test('an address that is asked for is given if it is free', async () => {
    using harness = await run([
      lb('a', { loadBalancerIP: '172.18.255.5' }),
      lb('b', { loadBalancerIP: '172.18.255.5' }),
      lb('c', { loadBalancerIP: '192.0.2.1' }),
    ]);
    expect([ingress(harness, 'a'), ingress(harness, 'b'), ingress(harness, 'c')]).toEqual([
      ['172.18.255.5'],
      undefined,
      undefined,
    ]);
    expect(await harness.events()).toContain(
      'SyncLoadBalancerFailed Error syncing load balancer: failed to ensure load balancer: no free address in 172.18.255.5',
    );
  });

  test('a class of somebody else is left to them, ours is served', async () => {
    using harness = await run([
      lb('a', { loadBalancerClass: 'example.com/x' }),
      lb('b', { loadBalancerClass: 'towtank.dev/load-balancer' }),
    ]);
    expect(ingress(harness, 'a')).toBeUndefined();
    expect(get(harness, 'a')?.metadata?.finalizers).toBeUndefined();
    expect(ingress(harness, 'b')).toEqual(['172.18.255.1']);
  });

  test('another type gives the address back, and LoadBalancer again gets one', async () => {
    using harness = await run([lb('a')]);
    harness.client.put(resources.services, {
      ...get(harness, 'a')!,
      spec: { ...get(harness, 'a')!.spec, type: 'ClusterIP' },
    });
    await harness.settle();
    expect(get(harness, 'a')?.status?.loadBalancer?.ingress).toBeUndefined();
    expect(get(harness, 'a')?.metadata?.finalizers).toEqual([]);
    harness.client.put(resources.services, {
      ...get(harness, 'a')!,
      spec: { ...get(harness, 'a')!.spec, type: 'LoadBalancer' },
    });
    await harness.settle();
    expect(ingress(harness, 'a')).toEqual(['172.18.255.1']);
  });

  test('a status that somebody else wrote on another type is left alone', async () => {
    const written = { loadBalancer: { ingress: [{ ip: '1.2.3.4' }] } };
    using harness = await run([buildService({ name: 'a', type: 'NodePort', status: written })]);
    expect(get(harness, 'a')?.status).toEqual(written);
  });

  test('a deleted Service lets its address and itself go', async () => {
    using harness = await run([lb('a')]);
    await harness.client.delete(resources.services, { namespace: 'default', name: 'a' });
    await harness.settle();
    expect(get(harness, 'a')).toBeUndefined();
    harness.client.put(resources.services, lb('b'));
    await harness.settle();
    expect(ingress(harness, 'b')).toEqual(['172.18.255.1']);
  });

  test('addresses are known again after a restart', async () => {
    const holder = { ...lb('z'), status: { loadBalancer: { ingress: [{ ip: '172.18.255.1' }] } } };
    using harness = await run([lb('a'), holder]);
    expect([ingress(harness, 'a'), ingress(harness, 'z')]).toEqual([['172.18.255.2'], ['172.18.255.1']]);
  });

  test('when the pool is empty a Service waits until an address is free', async () => {
    const names = Array.from({ length: 8 }, (_, i) => `s${i}`);
    using harness = await run(names.map((name) => lb(name)));
    expect(names.filter((name) => ingress(harness, name) === undefined)).toEqual(['s7']);
    await harness.client.delete(resources.services, { namespace: 'default', name: 's3' });
    await harness.settle();
    expect(ingress(harness, 's7')).toEqual(['172.18.255.4']);
  });

  test('without a pool Services stay pending', async () => {
    using harness = await run([lb('a')], { loadBalancerCIDRs: [] });
    expect(ingress(harness, 'a')).toBeUndefined();
    expect(get(harness, 'a')?.metadata?.finalizers).toBeUndefined();
  });
});
