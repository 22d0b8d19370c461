import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { EndpointSlice, Pod, PodTemplateSpec } from '../../../src/kube/generated/types.ts';
import { controllerOf } from '../../../src/kube/owner-references.ts';
import { type KubeObject, type ResourceType, resources } from '../../../src/kube/resources.ts';
import { RealControlPlane } from '../../helpers/real-control-plane.ts';

const template = (app: string, image = 'agnhost'): PodTemplateSpec => ({
  metadata: { labels: { app } },
  spec: { containers: [{ name: 'c', image }] },
});
const isOf =
  (app: string) =>
  ({ metadata }: KubeObject): boolean =>
    metadata?.labels?.['app'] === app;
const running = (pods: readonly Pod[], app: string): readonly Pod[] =>
  pods.filter(
    (pod) => isOf(app)(pod) && pod.status?.podIP !== undefined && pod.metadata?.deletionTimestamp === undefined,
  );
const imageOf = (pod: Pod) => pod.spec?.containers[0]?.image;
const of = (slices: readonly EndpointSlice[], service: string): readonly EndpointSlice[] =>
  slices.filter(({ metadata }) => metadata?.labels?.['kubernetes.io/service-name'] === service);

// The real API server validates and completes what the controllers write: whatever it refuses shows as a failure.
describe('controllers against the real API server', () => {
  let plane: RealControlPlane;
  beforeAll(async () => {
    plane = await RealControlPlane.start({ ready: (pod) => imageOf(pod) !== 'bad' });
  });
  afterAll(async () => {
    await plane[Symbol.asyncDispose]();
    expect(plane.failures).toEqual([]);
  });
  const create = <T extends KubeObject>(type: ResourceType<T>, object: T): Promise<T> =>
    plane.client.create(type, { ...object, metadata: { namespace: 'default', ...object.metadata } });
  const patch = <T extends KubeObject>(type: ResourceType<T>, name: string, body: object): Promise<T> =>
    plane.client.patch(type, { namespace: 'default', name }, { type: 'merge', body });

  test('default/kubernetes points at the API server, in the primary family (N11)', async () => {
    const slices = await plane.until(resources.endpointSlices, (all) => of(all, 'kubernetes').length > 0);
    expect(of(slices, 'kubernetes')).toMatchObject([
      { addressType: 'IPv4', endpoints: [{ addresses: ['172.18.0.1'] }], ports: [{ name: 'https', port: 6443 }] },
    ]);
    const service = await plane.client.get(resources.services, { namespace: 'default', name: 'kubernetes' });
    expect(service.spec).toMatchObject({ clusterIP: '10.96.0.1', ports: [{ port: 443, targetPort: 6443 }] });
  });

  test('a Deployment behind a dual stack Service is in slices of both families, and its update loses no endpoint', async () => {
    await create(resources.services, {
      metadata: { name: 'web' },
      spec: { selector: { app: 'web' }, ipFamilyPolicy: 'RequireDualStack', ports: [{ port: 80 }] },
    });
    await create(resources.deployments, {
      metadata: { name: 'web' },
      spec: { replicas: 6, selector: { matchLabels: { app: 'web' } }, template: template('web') },
    });
    const ready = (slices: readonly EndpointSlice[], family: string): number =>
      of(slices, 'web')
        .filter(({ addressType }) => addressType === family)
        .flatMap(({ endpoints = [] }) => endpoints)
        .filter(({ conditions }) => conditions?.ready).length;
    await plane.until(resources.endpointSlices, (all) => ready(all, 'IPv4') === 6 && ready(all, 'IPv6') === 6);
    let fewest = 6;
    plane.informers.for(resources.endpointSlices).onChange(() => {
      fewest = Math.min(fewest, ready(plane.informers.for(resources.endpointSlices).list(), 'IPv4'));
    });
    await patch(resources.deployments, 'web', { spec: { template: template('web', 'v2') } });
    await plane.until(
      resources.pods,
      (pods) => running(pods, 'web').length === 6 && running(pods, 'web').every((pod) => imageOf(pod) === 'v2'),
    );
    await plane.until(resources.endpointSlices, (all) => ready(all, 'IPv4') === 6);
    expect(fewest).toBeGreaterThanOrEqual(5);
    const [deployment] = await plane.until(
      resources.deployments,
      (all) => all[0]?.status?.conditions?.some(({ reason }) => reason === 'NewReplicaSetAvailable') ?? false,
    );
    expect(deployment?.metadata?.annotations).toMatchObject({ 'deployment.kubernetes.io/revision': '2' });
  });

  test('a broken update is undone as kubectl undoes it', async () => {
    await patch(resources.deployments, 'web', { spec: { template: template('web', 'bad') } });
    await plane.until(resources.pods, (pods) => running(pods, 'web').some((pod) => imageOf(pod) === 'bad'));
    const sets = (await plane.client.list(resources.replicaSets, { namespace: 'default', labelSelector: 'app=web' }))
      .items;
    const before = sets.find(({ metadata }) => metadata?.annotations?.['deployment.kubernetes.io/revision'] === '2')!;
    const { 'pod-template-hash': _hash, ...labels } = before.spec!.template!.metadata!.labels!;
    const undone = { ...before.spec!.template, metadata: { labels } };
    const json = [{ op: 'replace', path: '/spec/template', value: undone }];
    await plane.client.patch(
      resources.deployments,
      { namespace: 'default', name: 'web' },
      { type: 'json', body: json },
    );
    await plane.until(
      resources.pods,
      (pods) => running(pods, 'web').length === 6 && running(pods, 'web').every((pod) => imageOf(pod) === 'v2'),
    );
    await plane.until(
      resources.deployments,
      (all) => all[0]?.metadata?.annotations?.['deployment.kubernetes.io/revision'] === '4',
    );
  });

  test('pods are spread over the nodes', async () => {
    const pods = await plane.until(resources.pods, (all) => running(all, 'web').length === 6);
    const nodes = running(pods, 'web').map(({ spec }) => spec?.nodeName);
    expect(new Set(nodes).size).toBe(3);
  });

  test.each(['Background', 'Foreground'] as const)(
    '%s deletion takes ReplicaSets and pods along',
    async (propagationPolicy) => {
      const app = `gone-${propagationPolicy.toLowerCase()}`;
      await create(resources.deployments, {
        metadata: { name: app },
        spec: { replicas: 2, selector: { matchLabels: { app } }, template: template(app) },
      });
      await plane.until(resources.pods, (pods) => running(pods, app).length === 2);
      await plane.client.delete(resources.deployments, { namespace: 'default', name: app }, { propagationPolicy });
      await plane.until(resources.deployments, (all) => !all.some(({ metadata }) => metadata?.name === app));
      await plane.until(resources.replicaSets, (all) => !all.some(isOf(app)));
      await plane.until(resources.pods, (all) => !all.some(isOf(app)));
    },
  );

  test('Orphan deletion leaves the ReplicaSet without an owner, and a new Deployment adopts it', async () => {
    const spec = { replicas: 1, selector: { matchLabels: { app: 'orphan' } }, template: template('orphan') };
    await create(resources.deployments, { metadata: { name: 'orphan' }, spec });
    await plane.until(resources.pods, (pods) => running(pods, 'orphan').length === 1);
    await plane.client.delete(
      resources.deployments,
      { namespace: 'default', name: 'orphan' },
      { propagationPolicy: 'Orphan' },
    );
    const sets = await plane.until(resources.replicaSets, (all) =>
      all.some((set) => isOf('orphan')(set) && controllerOf(set) === undefined),
    );
    const uid = sets.find(isOf('orphan'))?.metadata?.uid;
    await plane.until(resources.deployments, (all) => !all.some(({ metadata }) => metadata?.name === 'orphan'));
    await create(resources.deployments, { metadata: { name: 'orphan' }, spec });
    const after = await plane.until(resources.replicaSets, (all) =>
      all.some((set) => isOf('orphan')(set) && controllerOf(set) !== undefined),
    );
    expect(after.filter(isOf('orphan')).map(({ metadata }) => metadata?.uid)).toEqual([uid]);
  });

  test('a StatefulSet starts in order, with names that DNS can find', async () => {
    await create(resources.services, {
      metadata: { name: 'db' },
      spec: { clusterIP: 'None', selector: { app: 'db' }, ports: [{ name: 'db', port: 5432 }] },
    });
    await create(resources.statefulSets, {
      metadata: { name: 'db' },
      spec: { replicas: 3, serviceName: 'db', selector: { matchLabels: { app: 'db' } }, template: template('db') },
    });
    const slices = await plane.until(
      resources.endpointSlices,
      (all) =>
        of(all, 'db')
          .flatMap(({ endpoints = [] }) => endpoints)
          .filter(({ conditions }) => conditions?.ready).length === 3,
    );
    const endpoints = of(slices, 'db').flatMap(({ endpoints: own = [] }) => own);
    expect(endpoints.map(({ hostname }) => hostname).sort()).toEqual(['db-0', 'db-1', 'db-2']);
    await patch(resources.statefulSets, 'db', { spec: { template: template('db', 'v2') } });
    await plane.until(
      resources.statefulSets,
      ([set]) =>
        set?.status?.updatedReplicas === 3 &&
        set.status.currentRevision === set.status.updateRevision &&
        set.status.readyReplicas === 3,
    );
  });

  test('a DaemonSet runs on every node, also on one that comes later', async () => {
    await create(resources.daemonSets, {
      metadata: { name: 'agent' },
      spec: { selector: { matchLabels: { app: 'agent' } }, template: template('agent') },
    });
    await plane.until(resources.daemonSets, ([set]) => set?.status?.numberAvailable === 3);
    await plane.addNode('node-late');
    const pods = await plane.until(resources.pods, (all) => running(all, 'agent').length === 4);
    expect(new Set(running(pods, 'agent').map(({ spec }) => spec?.nodeName)).size).toBe(4);
    await patch(resources.daemonSets, 'agent', { spec: { template: template('agent', 'v2') } });
    await plane.until(
      resources.daemonSets,
      ([set]) => set?.status?.updatedNumberScheduled === 4 && set.status.numberAvailable === 4,
    );
  });

  test('a Job completes when its pods have succeeded, and none is counted twice', async () => {
    const spec = {
      completions: 4,
      parallelism: 2,
      template: { spec: { restartPolicy: 'Never', containers: [{ name: 'c', image: 'agnhost' }] } },
    };
    await create(resources.jobs, { metadata: { name: 'sum' }, spec });
    plane.informers.for(resources.pods).onChange(({ current: pod }) => {
      if (controllerOf(pod ?? {})?.name !== 'sum' || pod?.status?.phase !== 'Running') return;
      const body = { status: { phase: 'Succeeded', conditions: [] } };
      const { namespace, name = '' } = pod.metadata ?? {};
      void plane.client
        .patch(resources.pods, { namespace, name }, { type: 'merge', body }, { subresource: 'status' })
        .catch((error) => plane.failures.push(error));
    });
    const [job] = await plane.until(
      resources.jobs,
      ([found]) => found?.status?.conditions?.some(({ type }) => type === 'Complete') ?? false,
    );
    expect(job?.status).toMatchObject({ succeeded: 4 });
    const { items } = await plane.client.list(resources.pods, { namespace: 'default', labelSelector: 'job-name=sum' });
    expect(items).toHaveLength(4);
    await plane.until(resources.pods, (pods) =>
      pods.filter((pod) => controllerOf(pod)?.name === 'sum').every(({ metadata }) => !metadata?.finalizers?.length),
    );
  });

  test('a LoadBalancer Service gets addresses, and gives them back with its type (S08)', async () => {
    await create(resources.services, {
      metadata: { name: 'lb' },
      spec: {
        type: 'LoadBalancer',
        ipFamilyPolicy: 'PreferDualStack',
        selector: { app: 'web' },
        ports: [{ port: 80 }],
      },
    });
    const lb = await plane.until(resources.services, (all) =>
      all.some(({ metadata, status }) => metadata?.name === 'lb' && status?.loadBalancer?.ingress?.length === 2),
    );
    expect(lb.find(({ metadata }) => metadata?.name === 'lb')?.status?.loadBalancer?.ingress).toEqual([
      { ip: '172.18.255.1', ipMode: 'VIP' },
      { ip: 'fc00:f853:ccd:e793:ffff::1', ipMode: 'VIP' },
    ]);
    await patch(resources.services, 'lb', { spec: { type: 'ClusterIP' } });
    const after = await plane.until(resources.services, (all) =>
      all.some(
        ({ metadata, status }) =>
          metadata?.name === 'lb' && !metadata.finalizers?.length && !status?.loadBalancer?.ingress?.length,
      ),
    );
    expect(after.find(({ metadata }) => metadata?.name === 'lb')?.spec?.ports?.[0]).not.toHaveProperty('nodePort');
    await plane.client.delete(resources.services, { namespace: 'default', name: 'lb' });
  });

  test('a Service changes between all types (N25, N26, N27, N28)', async () => {
    await create(resources.services, {
      metadata: { name: 'types' },
      spec: { selector: { app: 'web' }, ports: [{ port: 80 }] },
    });
    const external = await patch(resources.services, 'types', {
      spec: { type: 'ExternalName', externalName: 'example.com', clusterIP: null, clusterIPs: null },
    });
    expect(external.spec?.clusterIP).toBeUndefined();
    const nodePort = await patch(resources.services, 'types', { spec: { type: 'NodePort', externalName: null } });
    expect(nodePort.spec).toMatchObject({
      clusterIP: expect.stringMatching(/^10\.96\./),
      ports: [{ nodePort: expect.any(Number) }],
    });
    const again = await patch(resources.services, 'types', {
      spec: {
        type: 'ExternalName',
        externalName: 'example.com',
        clusterIP: null,
        clusterIPs: null,
        ports: [{ port: 80, nodePort: null }],
      },
    });
    expect(again.spec?.ports?.[0]).not.toHaveProperty('nodePort');
  });

  test('a hand-made Endpoints object is mirrored, changed and gone again (N13)', async () => {
    await create(resources.services, { metadata: { name: 'hand' }, spec: { ports: [{ port: 80 }] } });
    await create(resources.endpoints, {
      metadata: { name: 'hand' },
      subsets: [{ addresses: [{ ip: '192.0.2.1' }], ports: [{ port: 80 }] }],
    });
    await plane.until(
      resources.endpointSlices,
      (all) => of(all, 'hand')[0]?.endpoints?.[0]?.addresses[0] === '192.0.2.1',
    );
    await patch(resources.endpoints, 'hand', {
      subsets: [{ addresses: [{ ip: '192.0.2.2' }], ports: [{ port: 81 }] }],
    });
    await plane.until(resources.endpointSlices, (all) => of(all, 'hand')[0]?.ports?.[0]?.port === 81);
    await plane.client.delete(resources.endpoints, { namespace: 'default', name: 'hand' });
    await plane.until(resources.endpointSlices, (all) => of(all, 'hand').length === 0);
  });

  test('a PodDisruptionBudget refuses an eviction that is one too many', async () => {
    await create(resources.podDisruptionBudgets, {
      metadata: { name: 'web' },
      spec: { minAvailable: 6, selector: { matchLabels: { app: 'web' } } },
    });
    await plane.until(
      resources.podDisruptionBudgets,
      ([budget]) => budget?.status?.currentHealthy === 6 && budget.status.disruptionsAllowed === 0,
    );
    const [pod] = running(plane.informers.for(resources.pods).list(), 'web');
    const eviction = { metadata: { namespace: 'default', name: pod?.metadata?.name } } as Pod;
    await expect(plane.client.create(resources.pods, eviction, { subresource: 'eviction' })).rejects.toMatchObject({
      status: 429,
    });
    await patch(resources.podDisruptionBudgets, 'web', { spec: { minAvailable: 5 } });
    await plane.until(resources.podDisruptionBudgets, ([budget]) => budget?.status?.disruptionsAllowed === 1);
    await plane.client.create(resources.pods, eviction, { subresource: 'eviction' });
    await plane.until(
      resources.pods,
      (pods) => running(pods, 'web').length === 6 && !pods.some(({ metadata }) => metadata?.uid === pod?.metadata?.uid),
    );
  });

  test('a namespace takes everything in it along', async () => {
    await plane.client.create(resources.namespaces, { metadata: { name: 'n1' } });
    const into = { namespace: 'n1', name: 'x' };
    await plane.until(resources.serviceAccounts, (all) => all.some(({ metadata }) => metadata?.namespace === 'n1'));
    await plane.until(resources.configMaps, (all) =>
      all.some(({ metadata, data }) => metadata?.namespace === 'n1' && data?.['ca.crt'] === 'PEM'),
    );
    await create(resources.services, {
      metadata: into,
      spec: { type: 'LoadBalancer', selector: { app: 'n1' }, ports: [{ port: 80 }] },
    });
    await create(resources.deployments, {
      metadata: into,
      spec: { replicas: 3, selector: { matchLabels: { app: 'n1' } }, template: template('n1') },
    });
    await create(resources.cronJobs, {
      metadata: into,
      spec: {
        schedule: '* * * * *',
        jobTemplate: {
          spec: { template: { spec: { restartPolicy: 'Never', containers: [{ name: 'c', image: 'x' }] } } },
        },
      },
    });
    await plane.until(resources.pods, (pods) => running(pods, 'n1').length === 3);
    await plane.client.delete(resources.namespaces, { name: 'n1' });
    await plane.until(resources.namespaces, (all) => !all.some(({ metadata }) => metadata?.name === 'n1'));
    for (const type of [
      resources.pods,
      resources.services,
      resources.replicaSets,
      resources.endpointSlices,
      resources.events,
    ] as ResourceType[]) {
      expect((await plane.client.list(type, { namespace: 'n1' })).items).toEqual([]);
    }
  });

  test('a node that goes takes its lease along', async () => {
    await plane.client.delete(resources.nodes, { name: 'node-late' });
    await plane.until(resources.leases, (all) => !all.some(({ metadata }) => metadata?.name === 'node-late'));
  });
});
