import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Place } from '../../../src/index.ts';
import type { EndpointSlice, Pod, Service } from '../../../src/kube/generated/types.ts';
import { inUrl, NetworkScenario, nodePortOf, PROXY_MODES, WEB_PODS } from '../../helpers/network-scenario.ts';

const http = { port: 80, targetPort: 8080 };
const web = { selector: { app: 'web' }, ports: [http] };
// A userspace proxy opens connections of its own: the backend sees the node, whoever called.
const seesNode = (proxyMode: string): boolean => proxyMode === 'userspace';

describe.each(PROXY_MODES)('traffic of Services in %s mode', (proxyMode) => {
  let lab: NetworkScenario;
  let caller: Place;
  let pods: readonly Pod[];

  beforeAll(async () => {
    ({ lab, caller, pods } = await NetworkScenario.createWeb(proxyMode));
  });
  afterAll(() => lab?.[Symbol.asyncDispose]());

  const node = (number: number): Place => lab.cluster.node(`node-${number}`);
  const addressOf = (service: Service): string => service.spec?.clusterIP ?? '';
  // The address that the backend sees.
  const sourceSeen = async (from: Place, address: string, port = 80): Promise<string> =>
    (await from.fetch(`http://${inUrl(address)}:${port}/clientip`)).body.trim().replace(/:\d+$/, '');
  const unreached = (from: Place, address: string, port = 80): Promise<void> =>
    expect(from.fetch(`http://${inUrl(address)}:${port}/`, { timeoutMs: 700 })).rejects.toThrow();

  it('S01 a pod reaches itself through its own Service', async () => {
    await lab.netexec(['alone'], 'alone');
    const service = await lab.service('alone', { ...web, selector: { app: 'alone' } });
    expect(await lab.hostname(lab.cluster.pod('alone'), addressOf(service))).toBe('alone');
  });

  it('S02 pods of the host network are endpoints and clients', async () => {
    await lab.netexec(['host-pod'], 'host', { node: 'node-2', spec: { hostNetwork: true } });
    const ofHost = await lab.service('of-host', { ...web, selector: { app: 'host' } });
    for (const from of [caller, node(1), node(2)]) expect(await lab.hostname(from, addressOf(ofHost))).toBe('node-2');
    const service = await lab.service('for-host', web);
    expect(await lab.answering(lab.cluster.pod('host-pod'), addressOf(service))).toEqual(WEB_PODS);
    await lab.cluster.delete('pods', 'host-pod', 'default');
  });

  it('S04 Services of other proxies and headless ones are left alone', async () => {
    for (const label of ['service.kubernetes.io/service-proxy-name', 'service.kubernetes.io/headless']) {
      const service = await lab.service(`left-${label.split('/')[1]}`, web, { [label]: 'other' });
      await unreached(caller, addressOf(service));
    }
  });

  it('S05 a client that keeps its UDP port reaches the new pod when the old one is gone', async () => {
    const ports = [{ port: 53, protocol: 'UDP', targetPort: 8081 }];
    const { spec } = await lab.service('udp', { type: 'NodePort', selector: { app: 'udp' }, ports });
    const clients = [
      [caller, spec?.clusterIP ?? '', 53],
      [lab.cluster.outside, '172.18.0.2', spec?.ports?.[0]?.nodePort ?? 0],
    ] as const;
    const ask = () => Promise.all(clients.map(([from, address, port]) => lab.askUdp(from, address, port, 40_000)));
    await lab.netexec(['udp-1'], 'udp');
    await lab.cluster.settled();
    expect(await ask()).toEqual(['udp-1', 'udp-1']);
    await lab.cluster.delete('pods', 'udp-1', 'default');
    await lab.netexec(['udp-2'], 'udp');
    await lab.cluster.settled();
    await expect.poll(ask).toEqual(['udp-2', 'udp-2']);
  });

  it('S06 externalTrafficPolicy Local keeps the source, answers where endpoints are, and tells where that is', async () => {
    await lab.netexec(['local-2'], 'local', { node: 'node-2' });
    const spec = { type: 'LoadBalancer', externalTrafficPolicy: 'Local', selector: { app: 'local' }, ports: [http] };
    const service = await lab.service('local', spec);
    const client = (await lab.cluster.outside.exec(['hostname', '-I'])).stdout.split(' ')[0];
    const seen = await sourceSeen(lab.cluster.outside, '172.18.0.3', nodePortOf(service));
    expect(seen).toBe(seesNode(proxyMode) ? '172.18.0.3' : client);
    await unreached(lab.cluster.outside, '172.18.0.2', nodePortOf(service));
    const health = async (number: number) => {
      const port = service.spec?.healthCheckNodePort;
      const { status, body } = await lab.cluster.outside.fetch(`http://172.18.0.${number + 1}:${port}/`);
      return [status, JSON.parse(body).localEndpoints];
    };
    await expect.poll(() => health(1)).toEqual([503, 0]);
    await expect.poll(() => health(2)).toEqual([200, 1]);
  });

  it('S07 internalTrafficPolicy Local stays on the node, and fails where there is nothing', async () => {
    const service = await lab.service('inner', { ...web, internalTrafficPolicy: 'Local' });
    for (const number of [1, 2, 3])
      expect(await lab.answering(node(number), addressOf(service))).toEqual([`web-${number}`]);
    const elsewhere = await lab.service('inner-2', {
      ...web,
      selector: { app: 'local' },
      internalTrafficPolicy: 'Local',
    });
    expect(await lab.answering(node(2), addressOf(elsewhere))).toEqual(['local-2']);
    await unreached(node(1), addressOf(elsewhere));
  });

  it('S07 no request is lost while a Deployment rolls over', async () => {
    const deployment = (version: string) => ({
      apiVersion: 'apps/v1',
      kind: 'Deployment',
      metadata: { name: 'rolling' },
      spec: {
        replicas: 3,
        selector: { matchLabels: { app: 'rolling' } },
        strategy: { rollingUpdate: { maxUnavailable: 0, maxSurge: 1 } },
        template: {
          metadata: { labels: { app: 'rolling', version } },
          spec: {
            containers: [{ name: 'main', image: 'agnhost', args: ['netexec', '--delay-shutdown=1'] }],
          },
        },
      },
    });
    await lab.apply(deployment('one'));
    await lab.cluster.wait({ resource: 'deployments', name: 'rolling', for: 'Available' });
    const { spec } = await lab.service('rolling', { ...web, type: 'NodePort', selector: { app: 'rolling' } });
    const targets = [
      [caller, spec?.clusterIP ?? '', 80],
      [lab.cluster.outside, '172.18.0.2', spec?.ports?.[0]?.nodePort ?? 0],
    ] as const;
    let isOver = false;
    const failures: string[] = [];
    let answered = 0;
    const load = targets.map(async ([from, address, port]) => {
      while (!isOver) {
        await lab.hostname(from, address, port).then(
          () => answered++,
          (error: Error) => failures.push(error.message),
        );
      }
    });
    await lab.apply(deployment('two'));
    const versions = async () =>
      (await lab.cluster.get<Pod>('pods')).flatMap(({ metadata }) =>
        metadata?.labels?.['app'] === 'rolling' ? [metadata.labels['version']] : [],
      );
    await expect.poll(versions).toEqual(['two', 'two', 'two']);
    isOver = true;
    await Promise.all(load);
    expect(failures).toEqual([]);
    expect(answered).toBeGreaterThan(20);
  });

  it('S08 source ranges let in whom they name, and a load balancer address goes with its type', async () => {
    const ranged = (range: string) =>
      lab.service('ranged', { type: 'LoadBalancer', loadBalancerSourceRanges: [range], ...web });
    await ranged('192.0.2.0/24');
    await lab.cluster.wait({ resource: 'services', name: 'ranged', for: 'address' });
    const service = await lab.cluster.get<Service>('services', 'ranged', 'default');
    const address = service.status?.loadBalancer?.ingress?.[0]?.ip ?? '';
    await unreached(lab.cluster.outside, address);
    await ranged('172.18.0.0/16');
    expect(WEB_PODS).toContain(await lab.hostname(lab.cluster.outside, address));
    await lab.service('ranged', { type: 'ClusterIP', ...web });
    await expect
      .poll(async () => (await lab.cluster.get<Service>('services', 'ranged', 'default')).status?.loadBalancer)
      .toEqual({});
    await unreached(lab.cluster.outside, address);
  });

  it('S10 trafficDistribution PreferSameNode keeps to the node while it has an endpoint', async () => {
    const service = await lab.service('near', { ...web, trafficDistribution: 'PreferSameNode' });
    await expect.poll(() => lab.answering(node(1), addressOf(service))).toEqual(['web-1']);
    await expect.poll(() => lab.answering(node(3), addressOf(service))).toEqual(['web-3']);
  });

  it('S11 families come in either order, singly or both, and a Service is upgraded', async () => {
    for (const ipFamilies of [['IPv6'], ['IPv6', 'IPv4'], ['IPv4', 'IPv6']]) {
      const name = `families-${ipFamilies.join('-').toLowerCase()}`;
      const ipFamilyPolicy = ipFamilies.length === 1 ? 'SingleStack' : 'RequireDualStack';
      const { spec } = await lab.service(name, { ...web, ipFamilies, ipFamilyPolicy });
      expect(spec?.clusterIPs?.map((ip) => (ip.includes(':') ? 'IPv6' : 'IPv4'))).toEqual(ipFamilies);
      for (const address of spec?.clusterIPs ?? []) expect(WEB_PODS).toContain(await lab.hostname(caller, address));
    }
    const single = await lab.service('upgraded', { ...web, ipFamilyPolicy: 'SingleStack' });
    const dual = await lab.service('upgraded', { ...web, ipFamilyPolicy: 'PreferDualStack' });
    expect(dual.spec?.clusterIPs).toEqual([addressOf(single), expect.stringContaining(':')]);
    await expect.poll(() => lab.hostname(caller, dual.spec?.clusterIPs?.[1] ?? '').catch(String)).toMatch(/^web-/);
  });

  it('S12 readiness takes an endpoint out and brings it back, but for who publishes those not ready', async () => {
    const readinessProbe = {
      exec: { command: ['test', '-e', '/tmp-ready/yes'] },
      periodSeconds: 1,
      failureThreshold: 1,
    };
    const container = { name: 'main', image: 'agnhost', args: ['netexec'], readinessProbe };
    const volumes = [{ name: 'ready', emptyDir: {} }];
    const mounted = { ...container, volumeMounts: [{ name: 'ready', mountPath: '/tmp-ready' }] };
    await lab.apply({
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name: 'shy', labels: { app: 'shy' } },
      spec: { containers: [mounted], volumes, terminationGracePeriodSeconds: 0 },
    });
    await expect.poll(async () => (await lab.cluster.get<Pod>('pods', 'shy', 'default')).status?.phase).toBe('Running');
    const service = await lab.service('shy', { ...web, selector: { app: 'shy' } });
    const spec = { ...web, selector: { app: 'shy' }, publishNotReadyAddresses: true };
    const anyway = await lab.service('shy-anyway', spec);
    const answer = (of: Service) => lab.hostname(caller, addressOf(of)).catch((error: Error) => error.message);
    expect(await answer(service)).toContain('ECONNREFUSED');
    await expect.poll(() => answer(anyway)).toBe('shy');
    const shell = (command: string) => lab.cluster.pod('shy').exec(['sh', '-c', command]);
    await shell('touch /tmp-ready/yes');
    await expect.poll(() => answer(service)).toBe('shy');
    await shell('rm /tmp-ready/yes');
    await expect.poll(() => answer(service)).toContain('ECONNREFUSED');
  });

  it('S14 what address a backend sees', async () => {
    const service = await lab.service('seen', { ...web, type: 'NodePort' });
    const callerIP = (await lab.cluster.get<Pod>('pods', 'caller', 'default')).status?.podIP ?? '';
    for (const { status } of pods) expect(await sourceSeen(caller, status?.podIP ?? '', 8080)).toBe(callerIP);
    // One endpoint each, so that it is known which node the caller's packets leave.
    const [local, remote] = await Promise.all(
      ['web-1', 'web-2'].map(async (name, i) => {
        await lab.api.patch(`/api/v1/namespaces/default/pods/${name}`, { metadata: { labels: { only: name } } });
        return lab.service(`seen-${i + 1}`, { ...web, selector: { only: name } });
      }),
    );
    const nodeIPs = ['172.18.0.2', '10.244.0.1'];
    const viaProxy = seesNode(proxyMode) ? '172.18.0.2' : callerIP;
    // A pod of the node itself is called from the address by which the node speaks with its pods.
    const viaOwnProxy = seesNode(proxyMode) ? nodeIPs : [callerIP];
    expect(viaOwnProxy).toContain(await sourceSeen(caller, addressOf(local as Service)));
    expect(await sourceSeen(caller, addressOf(remote as Service))).toBe(viaProxy);
    expect(await sourceSeen(node(1), addressOf(remote as Service))).toBe('172.18.0.2');
    expect(nodeIPs).toContain(await sourceSeen(node(1), '172.18.0.2', nodePortOf(service)));
    expect(nodeIPs).toContain(await sourceSeen(lab.cluster.outside, '172.18.0.2', nodePortOf(service)));
  });

  it('S15 hand-made slices of a Service add up, and an endpoint of two slices counts once', async () => {
    const service = await lab.service('sliced', { ports: [{ name: 'http', port: 80 }] });
    const slice = (name: string, addresses: readonly string[]): EndpointSlice => ({
      apiVersion: 'discovery.k8s.io/v1',
      kind: 'EndpointSlice',
      metadata: { name, labels: { 'kubernetes.io/service-name': 'sliced' } },
      addressType: 'IPv4',
      ports: [{ name: 'http', port: 8080, protocol: 'TCP' }],
      endpoints: addresses.map((address) => ({ addresses: [address] })),
    });
    const [one = '', two = '', three = ''] = pods.map(({ status }) => status?.podIP ?? '');
    await lab.apply(slice('sliced-a', [one, two]), slice('sliced-b', [two, three]));
    await lab.cluster.settled();
    expect(await lab.answering(caller, addressOf(service))).toEqual(WEB_PODS);
    await lab.apply(slice('sliced-a', [two]), slice('sliced-b', [two]));
    await lab.cluster.settled();
    expect(await lab.answering(caller, addressOf(service))).toEqual(['web-2']);
    await lab.cluster.delete('endpointslices', 'sliced-a', 'default');
    await lab.cluster.settled();
    expect(await lab.answering(caller, addressOf(service))).toEqual(['web-2']);
  });
});
