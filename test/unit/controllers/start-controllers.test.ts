import { describe, expect, test } from 'vitest';
import type { ControllersConfig } from '../../../src/controllers/config.ts';
import { startControllers } from '../../../src/controllers/start-controllers.ts';
import type { ResourceType } from '../../../src/kube/resources.ts';
import { resources } from '../../../src/kube/resources.ts';
import { ApiStatusError } from '../../../src/kube/status.ts';
import { startScheduler } from '../../../src/scheduler/start-scheduler.ts';
import { buildDeployment, buildNamespace, buildNode, buildService } from '../../helpers/build-objects.ts';
import { ControllerHarness, startFakeKubelet } from '../../helpers/controller-harness.ts';
import { seededRandom } from '../../helpers/seeded-random.ts';

const config: ControllersConfig = {
  serviceCIDRs: ['10.96.0.0/16'],
  podCIDRs: ['10.244.0.0/16'],
  loadBalancerCIDRs: ['172.18.255.0/24'],
  apiServer: ['172.18.0.1'],
  caCertificate: 'PEM',
};

/** All controllers and the scheduler on an API in memory; pods start by themselves. */
async function run() {
  const harness = new ControllerHarness();
  const { client, informers, clock, failures } = harness;
  // As the API server makes them.
  for (const name of ['default', 'kube-system', 'kube-public', 'kube-node-lease'])
    client.put(resources.namespaces, buildNamespace({ name }));
  const common = { client, informers, clock, random: seededRandom() };
  const controllers = await startControllers({ ...common, config, onError: (failure) => failures.push(failure) });
  const scheduler = await startScheduler({
    ...common,
    onError: ({ key, error }) => failures.push({ controller: 'scheduler', key, error }),
  });
  startFakeKubelet(harness, { waitForNode: true });
  await harness.settle();
  const stop = async () => {
    await controllers[Symbol.asyncDispose]();
    await scheduler[Symbol.asyncDispose]();
    harness[Symbol.dispose]();
  };
  return { harness, client, [Symbol.asyncDispose]: stop };
}

describe('all controllers together', () => {
  test('a new cluster has its accounts, CA, ranges and its own Service', async () => {
    await using world = await run();
    const names = (type: ResourceType) =>
      world.client.all(type).map(({ metadata: m }) => `${m?.namespace ?? ''}/${m?.name}`);
    expect(names(resources.serviceAccounts)).toHaveLength(4);
    expect(names(resources.configMaps)).toContain('kube-public/kube-root-ca.crt');
    expect(names(resources.services)).toEqual(['default/kubernetes']);
    expect(world.client.peek(resources.serviceCIDRs, 'kubernetes')).toMatchObject({
      spec: { cidrs: ['10.96.0.0/16'] },
      status: { conditions: [{ type: 'Ready', status: 'True' }] },
    });
    expect(world.harness.failures).toEqual([]);
  });

  test('from a Deployment and a Service to endpoints, and all of it gone with its namespace, without any time passing', async () => {
    await using world = await run();
    const { client, harness } = world;
    const before = harness.clock.now();
    for (const name of ['node-1', 'node-2']) client.put(resources.nodes, buildNode({ name, podCIDRs: [] }));
    await client.create(resources.namespaces, { metadata: { name: 'n1' }, spec: { finalizers: ['kubernetes'] } });
    await client.create(resources.services, buildService({ namespace: 'n1', type: 'LoadBalancer' }));
    await client.create(resources.deployments, buildDeployment({ namespace: 'n1', spec: { replicas: 4 } }));
    await harness.settle();
    const [slice] = client.all(resources.endpointSlices).filter(({ metadata }) => metadata?.namespace === 'n1');
    expect(slice?.endpoints?.map(({ conditions, nodeName }) => [conditions?.ready, nodeName]).sort()).toEqual([
      [true, 'node-1'],
      [true, 'node-1'],
      [true, 'node-2'],
      [true, 'node-2'],
    ]);
    expect(client.peek(resources.endpoints, 'n1/web')?.subsets?.[0]?.addresses).toHaveLength(4);
    expect(client.peek(resources.services, 'n1/web')?.status?.loadBalancer?.ingress).toEqual([
      { ip: '172.18.255.1', ipMode: 'VIP' },
    ]);
    expect(client.peek(resources.nodes, 'node-2')?.spec?.podCIDRs).toHaveLength(1);
    await client.delete(resources.namespaces, { name: 'n1' });
    await harness.settle();
    await harness.clock.step(100);
    const left = Object.values(resources).flatMap((type) =>
      client.all(type as ResourceType).filter(({ metadata }) => metadata?.namespace === 'n1'),
    );
    expect(left.map(({ kind, metadata }) => `${kind} ${metadata?.name}`)).toEqual([]);
    expect(client.peek(resources.namespaces, 'n1')).toBeUndefined();
    expect(harness.clock.now() - before).toBe(100);
    expect(harness.failures).toEqual([]);
  });

  test('deleting a Service takes its slices and Endpoints along (N10)', async () => {
    await using world = await run();
    await world.client.create(resources.services, buildService());
    await world.harness.settle();
    await world.client.delete(resources.services, { namespace: 'default', name: 'web' });
    await world.harness.settle();
    expect(world.client.all(resources.endpointSlices).map(({ metadata }) => metadata?.name)).toEqual(['kubernetes']);
    expect(world.client.all(resources.endpoints).map(({ metadata }) => metadata?.name)).toEqual(['kubernetes']);
  });

  test('a cluster that is there already is taken over as it is', async () => {
    await using world = await run();
    const { client, informers, clock } = world.harness;
    const writes = () => client.actions.filter(({ verb }) => !['list', 'get'].includes(verb)).length;
    const before = writes();
    await using _second = await startControllers({
      client,
      informers,
      clock,
      random: seededRandom(),
      config,
      onError: () => {},
    });
    await world.harness.settle();
    // One refused creation.
    expect(writes() - before).toBe(1);
  });

  test('a server that cannot be written to makes the start fail', async () => {
    using harness = new ControllerHarness();
    harness.client.react(({ verb }) =>
      verb === 'create' ? new ApiStatusError('InternalError', 'disk full') : undefined,
    );
    const { client, informers, clock } = harness;
    const start = startControllers({ client, informers, clock, random: seededRandom(), config, onError: () => {} });
    await expect(start).rejects.toThrow('disk full');
  });
});
