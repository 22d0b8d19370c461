import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Place } from '../../../src/index.ts';
import type { EndpointSlice, Pod } from '../../../src/kube/generated/types.ts';
import { NetworkScenario, nodePortOf, PROXY_MODES, WEB_PODS } from '../../helpers/network-scenario.ts';

const http = { port: 80, targetPort: 8080 };
const web = { selector: { app: 'web' }, ports: [http] };

describe.each(PROXY_MODES)('Services in %s mode', (proxyMode) => {
  let lab: NetworkScenario;
  let caller: Place;
  let pods: readonly Pod[];

  beforeAll(async () => {
    ({ lab, caller, pods } = await NetworkScenario.createWeb(proxyMode));
  });
  afterAll(() => lab?.[Symbol.asyncDispose]());

  const nodes = () => ['node-1', 'node-2', 'node-3'].map((name) => lab.cluster.node(name));
  const places = () => [caller, ...nodes(), lab.cluster.outside];
  const byName = (name: string, from = caller): Promise<string> =>
    from.fetch(`http://${name}/hostname`).then(
      ({ body }) => body.trim(),
      (error: Error) => error.message,
    );

  it('N17 N18 pods of every node speak with pods of every node, by HTTP and UDP', async () => {
    for (const name of WEB_PODS)
      for (const { metadata, status } of pods) {
        expect(await lab.hostname(lab.cluster.pod(name), status?.podIP ?? '', 8080)).toBe(metadata?.name);
        expect(await lab.askUdp(lab.cluster.pod(name), status?.podIP ?? '', 8081)).toBe(metadata?.name);
      }
  });

  it('N19 N20 nodes speak with pods of every node, by HTTP and UDP', async () => {
    for (const node of nodes())
      for (const { metadata, status } of pods) {
        expect(await lab.hostname(node, status?.podIP ?? '', 8080)).toBe(metadata?.name);
        expect(await lab.askUdp(node, status?.podIP ?? '', 8081)).toBe(metadata?.name);
      }
  });

  it('N24 a hundred Services get their endpoints in milliseconds', async () => {
    const took: number[] = [];
    for (let i = 0; i < 100; i++) {
      const began = performance.now();
      const spec = { apiVersion: 'v1', kind: 'Service', metadata: { name: `quick-${i}` }, spec: web };
      const selected = `/apis/discovery.k8s.io/v1/endpointslices?labelSelector=kubernetes.io/service-name=quick-${i}`;
      await lab.api.send('POST', '/api/v1/namespaces/default/services', spec);
      const found = async () => (await lab.api.get(selected)).body.items[0]?.endpoints.length;
      await expect.poll(found, { interval: 1 }).toBe(WEB_PODS.length);
      took.push(performance.now() - began);
    }
    took.sort((a, b) => a - b);
    const [p50, p90, p99] = [0.5, 0.9, 0.99].map((part) => took[Math.floor(part * took.length)]?.toFixed(1));
    console.log(`${proxyMode}: endpoints of a new Service after p50 ${p50}, p90 ${p90}, p99 ${p99} ms`);
    for (let i = 0; i < 100; i++) await lab.cluster.delete('services', `quick-${i}`, 'default');
  });

  it('N25 N26 ClusterIP to ExternalName frees the address, and back gets one that answers', async () => {
    const before = await lab.service('turning', web);
    expect(WEB_PODS).toContain(await byName('turning'));
    const external = await lab.service('turning', { type: 'ExternalName', externalName: 'kubernetes.default' });
    expect(external.spec?.clusterIP).toBeUndefined();
    await expect(caller.fetch(`http://${before.spec?.clusterIP}/`, { timeoutMs: 1000 })).rejects.toThrow();
    const after = await lab.service('turning', { type: 'ClusterIP', ...web });
    expect(WEB_PODS).toContain(await lab.hostname(caller, after.spec?.clusterIP ?? ''));
    await expect.poll(() => byName('turning')).toMatch(/^web-\d$/);
  });

  it('N27 N28 ExternalName to NodePort is reached on every node, and back it is not', async () => {
    await lab.service('ported', { type: 'ExternalName', externalName: 'example.com' });
    const service = await lab.service('ported', { type: 'NodePort', ipFamilyPolicy: 'RequireDualStack', ...web });
    for (const address of await lab.nodeAddresses())
      expect(WEB_PODS).toContain(await lab.hostname(caller, address, nodePortOf(service)));
    expect(WEB_PODS).toContain(await lab.hostname(caller, service.spec?.clusterIP ?? ''));
    await expect.poll(() => byName('ported')).toMatch(/^web-\d$/);
    const external = await lab.service('ported', { type: 'ExternalName', externalName: 'example.com' });
    expect(external.spec?.ports?.[0]?.nodePort).toBeUndefined();
    await expect(lab.hostname(caller, '172.18.0.2', nodePortOf(service))).rejects.toThrow('ECONNREFUSED');
  });

  it('N29 a NodePort Service is reached from everywhere: by name, address, and every address of every node', async () => {
    const service = await lab.service('noded', { type: 'NodePort', ipFamilyPolicy: 'RequireDualStack', ...web });
    await expect.poll(() => byName('noded')).toMatch(/^web-\d$/);
    for (const from of [caller, ...nodes()])
      expect(WEB_PODS).toContain(await lab.hostname(from, service.spec?.clusterIP ?? ''));
    for (const from of places())
      for (const address of await lab.nodeAddresses())
        expect(WEB_PODS).toContain(await lab.hostname(from, address, nodePortOf(service)));
  });

  it.each([
    ['N30 N35', 'NodePort'],
    ['N31 N36', 'ClusterIP'],
  ])('%s session affinity of a %s Service holds, and is switched off and on at once', async (_, type) => {
    const service = async (sessionAffinity: string): Promise<readonly [string, number]> => {
      const { spec } = await lab.service(`sticky-${type.toLowerCase()}`, { type, sessionAffinity, ...web });
      return type === 'NodePort' ? ['172.18.0.3', spec?.ports?.[0]?.nodePort ?? 0] : [spec?.clusterIP ?? '', 80];
    };
    expect(await lab.answering(caller, ...(await service('None')))).toEqual(WEB_PODS);
    expect(await lab.answering(caller, ...(await service('ClientIP')))).toHaveLength(1);
    expect(await lab.answering(caller, ...(await service('None')))).toEqual(WEB_PODS);
  });

  it('N38 endpoints follow pods: none, one, two, one, none', async () => {
    const selected = '/apis/discovery.k8s.io/v1/endpointslices?labelSelector=kubernetes.io/service-name=following';
    const ports = [
      { name: 'a', port: 80, targetPort: 8080 },
      { name: 'b', port: 81, targetPort: 8081 },
    ];
    const endpoints = async () => {
      const slices: readonly EndpointSlice[] = (await lab.api.get(selected)).body.items;
      return slices.flatMap((slice) =>
        (slice.endpoints ?? []).map(({ targetRef }) => [
          targetRef?.name,
          ...(slice.ports ?? []).map(({ port }) => port),
        ]),
      );
    };
    const { spec } = await lab.service('following', { selector: { app: 'follow' }, ports });
    await expect.poll(endpoints).toEqual([]);
    await expect(lab.hostname(caller, spec?.clusterIP ?? '')).rejects.toThrow('ECONNREFUSED');
    await lab.netexec(['follow-1'], 'follow');
    await expect.poll(endpoints).toEqual([['follow-1', 8080, 8081]]);
    await lab.netexec(['follow-2'], 'follow');
    await expect.poll(async () => (await endpoints()).map(([name]) => name).sort()).toEqual(['follow-1', 'follow-2']);
    await lab.cluster.settled();
    expect(await lab.answering(caller, spec?.clusterIP ?? '')).toEqual(['follow-1', 'follow-2']);
    await lab.cluster.delete('pods', 'follow-1', 'default');
    await expect.poll(endpoints).toEqual([['follow-2', 8080, 8081]]);
    await lab.cluster.settled();
    expect(await lab.answering(caller, spec?.clusterIP ?? '')).toEqual(['follow-2']);
    await lab.cluster.delete('pods', 'follow-2', 'default');
    await expect.poll(endpoints).toEqual([]);
    await lab.cluster.settled();
    await expect(lab.hostname(caller, spec?.clusterIP ?? '')).rejects.toThrow('ECONNREFUSED');
  });

  it('N39 one number serves TCP and UDP, and dropping one stops only that', async () => {
    const tcp = { name: 'tcp', port: 80, protocol: 'TCP', targetPort: 8080 };
    const udp = { name: 'udp', port: 80, protocol: 'UDP', targetPort: 8081 };
    const both = await lab.service('both', { selector: { app: 'web' }, ports: [tcp, udp] });
    const address = both.spec?.clusterIP ?? '';
    const refusals: Readonly<Record<string, RegExp>> = {
      tcp: /ECONNREFUSED|ENETUNREACH|ERR_TIMEOUT|no answer/,
      udp: /^(ECONNREFUSED)?$/,
    };
    expect(WEB_PODS).toContain(await lab.hostname(caller, address));
    expect(WEB_PODS).toContain(await lab.askUdp(caller, address, 80));
    await lab.service('both', { selector: { app: 'web' }, ports: [udp] });
    await expect(caller.fetch(`http://${address}/hostname`, { timeoutMs: 1000 })).rejects.toThrow(refusals['tcp']);
    expect(WEB_PODS).toContain(await lab.askUdp(caller, address, 80));
    await lab.service('both', { selector: { app: 'web' }, ports: [tcp] });
    expect(WEB_PODS).toContain(await lab.hostname(caller, address));
    expect(await lab.askUdp(caller, address, 80)).toMatch(refusals['udp'] ?? '');
  });

  it('N40 two named ports lead each to the pods that have it', async () => {
    const container = (port: number, name: string) => ({
      containers: [
        {
          name: 'main',
          image: 'agnhost',
          args: ['netexec', `--http-port=${port}`],
          ports: [{ name, containerPort: port }],
        },
      ],
    });
    await lab.netexec(['first'], 'split', { spec: container(8001, 'one') });
    await lab.netexec(['second'], 'split', { spec: container(8002, 'two') });
    const ports = ['one', 'two'].map((name, i) => ({ name, port: 81 + i, targetPort: name }));
    const { spec } = await lab.service('split', { selector: { app: 'split' }, ports });
    await expect.poll(() => lab.answers(caller, spec?.clusterIP ?? '', 81, 4).catch(() => [])).toContain('first');
    expect(await lab.answering(caller, spec?.clusterIP ?? '', 81)).toEqual(['first']);
    expect(await lab.answering(caller, spec?.clusterIP ?? '', 82)).toEqual(['second']);
  });
});
