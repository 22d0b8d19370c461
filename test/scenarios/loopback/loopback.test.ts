import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Cluster } from '../../../src/index.ts';
import type { Event as KubeEvent, Pod } from '../../../src/kube/generated/types.ts';
import { UnprivilegedLab } from '../../helpers/unprivileged-lab.ts';

// A cluster without any privilege: no capability, no user namespaces, no network but the one that is there.
const objects = `
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: 3
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec: {containers: [{name: web, image: agnhost, args: [netexec, --http-port=80, --udp-port=8081]}]}
---
apiVersion: v1
kind: Service
metadata: {name: web}
spec:
  type: LoadBalancer
  clusterIP: 127.96.0.80
  selector: {app: web}
  ports:
  - {name: http, port: 80, nodePort: 30080}
  - {name: udp, port: 8081, protocol: UDP}
---
apiVersion: v1
kind: Pod
metadata: {name: caller}
spec: {containers: [{name: shell, image: busybox}]}
---
apiVersion: v1
kind: Pod
metadata: {name: program}
spec:
  terminationGracePeriodSeconds: 1
  containers: [{name: main, image: busybox, command: [sh, -c, 'setsid sleep 98765 & sleep 98765']}]
`;

const curl = (url: string): readonly string[] => ['curl', '-sS', '--max-time', '10', '--retry', '3', url];
const sleepers = (lab: UnprivilegedLab): readonly string[] => lab.processes().filter((line) => line.includes('98765'));

function hostnameBy(lab: UnprivilegedLab, url: string, ...place: readonly string[]): string {
  const words = curl(`${url}/hostname`);
  const { stdout, stderr } = place.length === 0 ? lab.run(words) : lab.towtank(['exec', ...place, '--', ...words]);
  return stdout + stderr;
}

function up(lab: UnprivilegedLab, ...options: readonly string[]): string {
  const manifest = join(lab.stateDir, 'objects.yaml');
  lab.run(['tee', manifest], objects);
  return lab.succeed('up', '--apply', manifest, ...options);
}

async function ready(lab: UnprivilegedLab, name = 'towtank'): Promise<Cluster> {
  const cluster = lab.cluster(name);
  await cluster.wait({ resource: 'deployments', name: 'web', for: 'Available', timeoutMs: 50_000 });
  for (const pod of ['caller', 'program'])
    await cluster.wait({ resource: 'pods', name: pod, for: 'Ready', timeoutMs: 50_000 });
  return cluster;
}

const webPods = async (cluster: Cluster): Promise<readonly Pod[]> =>
  (await cluster.get<Pod>('pods')).filter(({ metadata }) => metadata?.labels?.['app'] === 'web');

const restartsOf = ({ status }: Pod): number | undefined => status?.containerStatuses?.[0]?.restartCount;

describe('a cluster without any privilege', () => {
  let lab: UnprivilegedLab;
  let cluster: Cluster;
  beforeAll(async () => {
    lab = await UnprivilegedLab.create({ lowPorts: true });
  });
  afterAll(() => lab[Symbol.dispose]());

  it('is what doctor finds, with what the other tiers would give and need', () => {
    const { exitCode, stdout } = lab.towtank(['doctor']);
    expect(exitCode, stdout).toBe(0);
    expect(stdout).toMatch(/– tier full .*\n\s+costs: a kube-proxy for each node.*\n\s+needs: docker run --cap-add/);
    expect(stdout).toMatch(/– tier flat +lacks CAP_NET_ADMIN.*\n\s+costs: the rules of iptables.*\n/);
    expect(stdout).toMatch(/✓ tier loopback +every port, and names for every program/);
    expect(stdout).toContain('clusters can run here');
  });

  it('is chosen by itself, and told', async () => {
    expect(up(lab)).toContain('tier loopback: nodes, pods and Services on addresses of 127.0.0.0/8');
    cluster = await ready(lab);
    expect(lab.succeed('status')).toMatch(/Tier +loopback/);
  });

  it.each(['http://127.96.0.80', 'http://web', 'http://web.default.svc.cluster.local', 'http://127.18.0.4:30080'])(
    'answers %s, to a pod, a node, the client and the shell beside it',
    (url) => {
      for (const place of [['caller'], ['node-1'], ['client'], []])
        expect(hostnameBy(lab, url, ...place)).toMatch(/^web-/);
    },
  );

  it('answers at the load balancer', () => {
    expect(hostnameBy(lab, 'http://127.18.255.1', 'client')).toMatch(/^web-/);
  });

  it('spreads connections over the pods', () => {
    const names = Array.from({ length: 40 }, () => hostnameBy(lab, 'http://127.96.0.80'));
    expect(new Set(names).size).toBe(3);
  });

  it('carries datagrams', () => {
    const script = `
      const socket = require('dgram').createSocket('udp4');
      socket.on('message', (data) => { console.log(String(data)); process.exit(0); });
      socket.connect(8081, '127.96.0.80', () => socket.send('hostname'));`;
    expect(lab.run([process.execPath, '-e', script]).stdout).toMatch(/^web-/);
  });

  it('lets a pod be seen by its own address, of curl and of built-in programs', async () => {
    const [web] = await webPods(cluster);
    const { status } = await cluster.get<Pod>('pods', 'caller', 'default');
    const url = `http://${web?.status?.podIP}/clientip`;
    expect(lab.succeed('exec', 'caller', '--', ...curl(url)).split(':')[0]).toBe(status?.podIP);
    expect((await cluster.pod('caller').fetch(url)).body.split(':')[0]).toBe(status?.podIP);
  });

  it('shows the walk of a name', () => {
    expect(lab.succeed('dns', 'query', 'web', '--from', 'caller')).toContain('127.96.0.80');
  });

  it('restarts a program that ended, and ends one that left its parent with its pod', async () => {
    await expect.poll(() => sleepers(lab)).toHaveLength(3);
    const parent = sleepers(lab).find((line) => line.includes('sh -c'));
    lab.kill(Number(parent?.split(' ')[0]));
    await expect.poll(async () => restartsOf(await cluster.get<Pod>('pods', 'program', 'default'))).toBe(1);
    await cluster.delete('pods', 'program', 'default');
    await cluster.wait({ resource: 'pods', name: 'program', for: 'deleted', timeoutMs: 50_000 });
    await expect.poll(() => sleepers(lab)).toEqual([]);
  });
});

describe('beside each other', () => {
  let lab: UnprivilegedLab;
  beforeAll(async () => {
    lab = await UnprivilegedLab.create({ lowPorts: true });
  });
  afterAll(() => lab[Symbol.dispose]());

  it('clusters have addresses of their own, and the first one has the names', async () => {
    up(lab);
    expect(lab.succeed('up', '--name', 'second')).toContain('/etc/resolv.conf leads to another cluster');
    const [first, second] = [await ready(lab), lab.cluster('second')];
    expect((await first.status()).nodes[0]?.addresses).toEqual(['127.18.0.2']);
    expect((await second.status()).nodes[0]?.addresses).toEqual(['127.19.0.2']);
    expect([(await first.status()).loopback?.findsNames, (await second.status()).loopback?.findsNames]).toEqual([
      true,
      false,
    ]);
    await second.apply(objects.replaceAll('127.96.', '127.97.').replaceAll('name: web', 'name: web'));
    await ready(lab, 'second');
    expect(hostnameBy(lab, 'http://127.96.0.80')).toMatch(/^web-/);
    expect(hostnameBy(lab, 'http://127.97.0.80')).toMatch(/^web-/);
    expect((await second.pod('caller').fetch('http://web/hostname')).body).toMatch(/^web-/);
  });

  it('one that is taken down leaves the other alone', async () => {
    await expect.poll(() => sleepers(lab)).toHaveLength(6);
    lab.succeed('down', '--name', 'second');
    expect(hostnameBy(lab, 'http://web')).toMatch(/^web-/);
    expect(sleepers(lab)).toHaveLength(3);
    expect(lab.listeners()).not.toMatch(/127\.(19|65|97)\./);
  });

  it('ranges that another one has are refused, and free again with it', () => {
    const config =
      'spec: {network: {nodeCIDRs: {IPv4: 127.18.0.0/16}, loadBalancerCIDRs: {IPv4: 127.18.255.0/24}, podCIDRs: {IPv4: 127.70.0.0/16}, serviceCIDRs: {IPv4: 127.71.0.0/16}}}';
    const refused = lab.towtank(['up', '-f', '-', '--name', 'third'], config);
    expect(refused).toMatchObject({ exitCode: 2 });
    expect(refused.stderr).toContain('another cluster has addresses of the same ranges');
    lab.succeed('down');
    expect(lab.towtank(['up', '-f', '-', '--name', 'third'], config)).toMatchObject({ exitCode: 0 });
    lab.succeed('down', '--name', 'third');
  });
});

describe.each([
  ['its supervisor', 'innerPid'],
  ['what stands beside it', 'outerPid'],
] as const)('when %s is killed', (_what, process) => {
  let lab: UnprivilegedLab;
  beforeAll(async () => {
    lab = await UnprivilegedLab.create({ lowPorts: true });
  });
  afterAll(() => lab[Symbol.dispose]());

  it('nothing of a cluster is left', async () => {
    up(lab);
    await ready(lab);
    expect(lab.resolver()).toContain('nameserver 127.96.0.10');
    await expect.poll(() => sleepers(lab)).toHaveLength(3);
    lab.kill(lab.record()[process]);
    await lab.untilEmpty();
    expect(lab.listeners()).toBe('');
    expect(lab.resolver()).toBe('nameserver 192.0.2.53\n');
  });

  it('the next start goes on with its objects, at the same addresses', async () => {
    lab.succeed('up');
    await ready(lab);
    expect(hostnameBy(lab, 'http://127.96.0.80')).toMatch(/^web-/);
    lab.succeed('down');
    await lab.untilEmpty();
    expect(lab.listeners()).toBe('');
    expect(lab.resolver()).toBe('nameserver 192.0.2.53\n');
  });
});

describe('what it cannot do is refused with the reason', () => {
  let lab: UnprivilegedLab;
  beforeAll(async () => {
    lab = await UnprivilegedLab.create({ lowPorts: true });
    lab.succeed('up', '--nodes', '1');
  });
  afterAll(() => lab[Symbol.dispose]());

  it.each([
    ['{network: {ipFamilies: [IPv4, IPv6]}}', 'IPv6: IPv6 has one loopback address'],
    ['{proxy: {mode: nftables}}', 'proxy mode nftables: rules of the kernel need a privilege'],
    ['{nodes: [{proxyMode: iptables}]}', 'proxy mode iptables: rules of the kernel need a privilege'],
    ['{network: {cni: bridge}}', 'cni bridge: pods have no links of their own'],
    ['{dns: {nodeLocalDNS: true}}', 'nodeLocalDNS: nodes have no addresses of their own'],
    ['{network: {podCIDRs: {IPv4: 10.244.0.0/16}, serviceCIDRs: {IPv4: 127.97.0.0/16}}}', 'nodeCIDRs 172.18.0.0/16'],
  ])('by up: %s', (spec, why) => {
    const { exitCode, stderr } = lab.towtank(['up', '-f', '-', '--name', 'other'], `spec: ${spec}`);
    expect({ exitCode, stderr }).toMatchObject({ exitCode: 2 });
    expect(stderr).toContain(`the loopback tier cannot have ${why}`);
  });

  it('by up: the other tiers', () => {
    const flat = lab.towtank(['up', '--tier', 'flat', '--name', 'other']);
    expect(flat).toMatchObject({ exitCode: 2 });
    expect(flat.stderr).toContain('the flat tier cannot be had here: lacks CAP_NET_ADMIN');
    const full = lab.towtank(['up', '--tier', 'full', '--name', 'other']);
    expect(full).toMatchObject({ exitCode: 2 });
    expect(full.stderr).toContain('user.max_user_namespaces=0');
  });

  it.each([
    [
      '{externalTrafficPolicy: Local, type: NodePort}',
      'spec.externalTrafficPolicy: Forbidden: Local needs a kube-proxy',
    ],
    ['{internalTrafficPolicy: Local}', 'spec.internalTrafficPolicy: Forbidden: Local needs a kube-proxy'],
    ['{externalIPs: [192.0.2.1]}', 'spec.externalIPs[0]: Forbidden: the loopback tier has no addresses but'],
    ['{ipFamilies: [IPv6]}', 'IPv6'],
  ])('by the API: a Service with %s', async (fields, why) => {
    const spec = `${fields.slice(0, -1)}, ports: [{port: 80}]}`;
    const service = `{apiVersion: v1, kind: Service, metadata: {name: refused}, spec: ${spec}}`;
    await expect(lab.cluster().apply(service)).rejects.toThrow(why);
  });

  it('by the API: a port of SCTP', async () => {
    const service =
      '{apiVersion: v1, kind: Service, metadata: {name: refused}, spec: {ports: [{port: 80, protocol: SCTP}]}}';
    await expect(lab.cluster().apply(service)).rejects.toThrow('spec.ports[0].protocol: Forbidden: the loopback tier');
  });

  it.each([
    ['hostPort', '{name: main, image: pause, ports: [{containerPort: 80, hostPort: 8099}]}', 'hostPort needs'],
    [
      'a volume of a program',
      "{name: main, image: busybox, command: [sleep, '1'], volumeMounts: [{name: data, mountPath: /data}]}",
      'volume "data" cannot be mounted',
    ],
  ])('by an event: a pod with %s', async (what, container, why) => {
    const name = what.replaceAll(/\W/g, '').toLowerCase();
    const pod = `{apiVersion: v1, kind: Pod, metadata: {name: ${name}}, spec: {volumes: [{name: data, emptyDir: {}}], containers: [${container}]}}`;
    await lab.cluster().apply(pod);
    const messages = async () =>
      (await lab.cluster().get<KubeEvent>('events'))
        .filter(({ involvedObject }) => involvedObject.name === name)
        .map(({ message }) => message)
        .join('\n');
    await expect.poll(messages).toContain(why);
  });
});

describe('where ports below 1024 may not be opened', () => {
  let lab: UnprivilegedLab;
  let cluster: Cluster;
  beforeAll(async () => {
    lab = await UnprivilegedLab.create({ lowPorts: false });
  });
  afterAll(() => lab[Symbol.dispose]());

  it('a start and doctor say so, and where they stand instead', async () => {
    const limits = ['ports below 1024 may not be opened and stand 10000 higher: 80 is 10080', 'do not find names'];
    const said = up(lab);
    cluster = await ready(lab);
    for (const text of limits) {
      expect(said).toContain(text);
      expect(lab.towtank(['doctor']).stdout).toContain(text);
    }
  });

  it('Services, pods and cluster DNS answer there', async () => {
    const [web] = await webPods(cluster);
    for (const host of ['127.96.0.80', web?.status?.podIP, '127.18.255.1'])
      expect(hostnameBy(lab, `http://${host}:10080`, 'caller')).toMatch(/^web-/);
    expect(hostnameBy(lab, 'http://127.18.0.3:30080', 'caller')).toMatch(/^web-/);
    expect(lab.succeed('status')).toMatch(/Cluster DNS +127\.96\.0\.10:10053/);
    expect(lab.listeners()).toMatch(/udp .*127\.96\.0\.10:10053/);
  });

  it('built-in programs find names and ports all the same', async () => {
    expect((await cluster.pod('caller').fetch('http://web/hostname')).body).toMatch(/^web-/);
    expect(lab.succeed('dns', 'query', 'web', '--from', 'caller')).toContain('127.96.0.80');
  });

  it('programs of pods do not look for names of the cluster in the resolver of the machine', () => {
    expect(lab.succeed('exec', 'caller', '--', 'printenv')).not.toMatch(/LOCALDOMAIN|RES_OPTIONS/);
    expect(lab.resolver()).toBe('nameserver 192.0.2.53\n');
  });

  it('the demo walks every path', () => {
    lab.succeed('down');
    const demo = lab.succeed('demo');
    expect(demo.match(/✓/g)).toHaveLength(9);
    expect(demo).toContain('80 is 10080');
  });
});
