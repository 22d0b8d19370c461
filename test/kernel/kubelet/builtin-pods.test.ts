import { beforeAll, describe, expect, test } from 'vitest';
import { NetworkNamespace } from '../../../src/kernel/network-namespace.ts';
import { resources } from '../../../src/kube/resources.ts';
import { createKubeletLab, isReady, type KubeletLab } from '../../helpers/kubelet-lab.ts';
import { leakCheck } from '../../helpers/leak-check.ts';

beforeAll(() => void NetworkNamespace.current());

const netexec = { image: 'registry.k8s.io/e2e-test-images/agnhost:2.53', args: ['netexec'] };

describe('a pod of a built-in image', () => {
  test('is Ready without a process, and answers nodes and pods over both families', async () => {
    await using _ = leakCheck();
    await using lab = await createKubeletLab({ nodes: 2 });
    const pod = await lab.run({ ...netexec, podName: 'web' });
    expect(pod.status?.podIPs).toEqual([{ ip: '10.244.1.2' }, { ip: 'fd00:10:244:1::2' }]);
    expect(pod.status?.hostIPs).toEqual([{ ip: '172.18.0.2' }, { ip: 'fc00:f853:ccd:e793::2' }]);
    for (const { ip: host } of pod.status?.podIPs ?? []) {
      const answer = await lab.fetch(lab.network.nodes[1]!.netns, { host, port: 8080, path: '/hostname' });
      expect(answer).toEqual({ status: 200, body: 'web' });
    }
    const client = await lab.run({ image: 'busybox', podName: 'client', node: 'node-2' });
    const { stdout } = await lab.exec(client, ['curl', '-s', `http://${pod.status?.podIP}:8080/clientip`]);
    expect(stdout).toMatch(/^10\.244\.2\.2:\d+$/);
  });

  test('answers UDP as netexec does', async () => {
    await using lab = await createKubeletLab();
    const pod = await lab.run({ ...netexec, podName: 'web' });
    const from = lab.network.nodes[0]!.netns;
    for (const { ip: host } of pod.status?.podIPs ?? []) {
      expect(await lab.askUdp(from, { host, port: 8081, payload: 'hostname' })).toBe('web');
      expect(await lab.askUdp(from, { host, port: 8081, payload: 'echo Hi' })).toBe('hi');
      const sender = await lab.askUdp(from, { host, port: 8081, payload: 'clientip' });
      expect(sender).toMatch(host.includes(':') ? /^\[fc00:f853:ccd:e793::2\]:\d+$/ : /^172\.18\.0\.2:\d+$/);
    }
  });

  test('serves the endpoints of netexec', async () => {
    await using lab = await createKubeletLab();
    const pod = await lab.run({ ...netexec, podName: 'web' });
    const host = pod.status?.podIP ?? '';
    const get = (path: string, headers = {}) =>
      lab.fetch(lab.network.nodes[0]!.netns, { host, port: 8080, path, headers });
    expect(await get('/echo?msg=hello&code=418')).toEqual({ status: 418, body: 'hello' });
    expect(await get('/header?key=X-Forwarded-For', { 'x-forwarded-for': '1.2.3.4' })).toMatchObject({
      body: '1.2.3.4',
    });
    expect((await get('/')).body).toMatch(/^NOW: \d{4}-/);
    expect((await get('/redirect?location=/echo&code=307')).status).toBe(307);
    expect(await get('/healthz')).toEqual({ status: 200, body: '' });
    expect(JSON.parse((await get('/shell?cmd=hostname')).body)).toEqual({ output: 'web\n' });
    expect(JSON.parse((await get('/shell?cmd=exit%203')).body)).toEqual({ error: 'exit status 3' });
    expect(JSON.parse((await get(`/dial?host=${host}&port=8080&request=hostname&tries=3`)).body)).toEqual({
      responses: ['web', 'web', 'web'],
    });
    expect(JSON.parse((await get(`/dial?host=${host}&port=8081&request=hostname&protocol=udp`)).body)).toEqual({
      responses: ['web'],
    });
    expect(JSON.parse((await get(`/dial?host=${host}&port=1&request=x`)).body)).toEqual({
      errors: [`Get "http://${host}:1/x": dial tcp ${host}:1: connect: connection refused`],
    });
    expect((await get(`/dial?host=no.such.host.invalid&port=1&request=x`)).status).toBe(400);
  });

  test('is restarted when it exits, and the count shows', async () => {
    await using lab = await createKubeletLab();
    const pod = await lab.run(netexec);
    const host = pod.status?.podIP ?? '';
    await lab.fetch(lab.network.nodes[0]!.netns, { host, port: 8080, path: '/exit?code=3' }).catch(() => undefined);
    const again = await lab.until(
      pod,
      (current) => isReady(current) && current.status?.containerStatuses?.[0]?.restartCount === 1,
    );
    expect(again.status?.containerStatuses?.[0]?.lastState?.terminated).toMatchObject({ exitCode: 3, reason: 'Error' });
    expect(await lab.logs(pod, { previous: true })).toContain('GET /exit');
    expect((await lab.fetch(lab.network.nodes[0]!.netns, { host, port: 8080, path: '/hostname' })).status).toBe(200);
  });

  test('that cannot have its port on the host network fails with the reason in its log', async () => {
    await using lab = await createKubeletLab();
    const spec = { hostNetwork: true };
    const first = await lab.run({ ...netexec, spec });
    expect(first.status?.podIP).toBe('172.18.0.2');
    expect(
      (await lab.fetch(lab.network.client.netns, { host: '172.18.0.2', port: 8080, path: '/hostname' })).body,
    ).toBe('node-1');
    const second = await lab.create({ ...netexec, spec });
    const failed = await lab.until(
      second,
      ({ status }) => status?.containerStatuses?.[0]?.state?.waiting?.reason === 'CrashLoopBackOff',
    );
    expect(failed.status?.containerStatuses?.[0]?.lastState?.terminated?.exitCode).toBe(1);
    expect(await lab.logs(second)).toContain('EADDRINUSE');
    expect(failed.status?.containerStatuses?.[0]?.state?.waiting?.message).toMatch(
      /^back-off 10s restarting failed container=main pod=pod-2_default\(/,
    );
  });

  test('of an unknown name without a command cannot be pulled, and the message lists what there is', async () => {
    await using lab = await createKubeletLab();
    const pod = await lab.create({ image: 'example.com/team/shop:1.0' });
    const failed = await lab.until(
      pod,
      ({ status }) => status?.containerStatuses?.[0]?.state?.waiting?.reason === 'ErrImagePull',
    );
    expect(failed.status?.phase).toBe('Pending');
    expect(failed.status?.containerStatuses?.[0]?.state?.waiting?.message).toMatch(
      /built-in image: agnhost, alpine, .*nginx/,
    );
    await lab.until(pod, ({ status }) => status?.containerStatuses?.[0]?.state?.waiting?.reason === 'ImagePullBackOff');
  });
});

describe('the web images', () => {
  test('name the pod, and serve a volume where the real image has its pages', async () => {
    await using lab = await createKubeletLab();
    lab.client.put(resources.configMaps, {
      metadata: { name: 'pages', namespace: 'default' },
      data: { 'index.html': '<h1>mine</h1>', 'about.txt': 'about' },
    });
    const welcome = await lab.run({ image: 'nginx:1.25', podName: 'welcome' });
    const from = lab.network.nodes[0]!.netns;
    const page = await lab.fetch(from, { host: welcome.status?.podIP ?? '', port: 80 });
    expect(page.body).toContain('Welcome to nginx!');
    expect(page.body).toContain('pod welcome');
    const pages = await lab.run({
      image: 'nginx',
      volumeMounts: [{ name: 'pages', mountPath: '/usr/share/nginx/html' }],
      spec: { volumes: [{ name: 'pages', configMap: { name: 'pages' } }] },
    });
    const host = pages.status?.podIP ?? '';
    expect(await lab.fetch(from, { host, port: 80 })).toEqual({ status: 200, body: '<h1>mine</h1>' });
    expect(await lab.fetch(from, { host, port: 80, path: '/about.txt' })).toEqual({ status: 200, body: 'about' });
    expect((await lab.fetch(from, { host, port: 80, path: '/../etc-hosts' })).status).toBe(404);
    expect((await lab.fetch(from, { host, port: 80, path: '/%2e%2e/%2e%2e/etc-hosts' })).status).toBe(404);
    expect(await lab.logs(pages)).toMatch(/^172\.18\.0\.2 - - \[.* \+0000\] "GET \/ HTTP\/1\.1" 200 13 "-" "-"\n/);
  });

  test('echo what they are asked', async () => {
    await using lab = await createKubeletLab();
    const from = lab.network.nodes[0]!.netns;
    const ask = async (port: number, request: Parameters<KubeletLab['run']>[0], path = '/') => {
      const pod = await lab.run(request);
      return lab.fetch(from, { host: pod.status?.podIP ?? '', port, path });
    };
    expect(await ask(5678, { image: 'hashicorp/http-echo', args: ['-text=hi there'] })).toEqual({
      status: 200,
      body: 'hi there\n',
    });
    expect((await ask(80, { image: 'traefik/whoami', podName: 'who' }, '/x?y=1')).body).toMatch(
      /^Hostname: who\nIP: 127\.0\.0\.1\n/,
    );
    expect(JSON.parse((await ask(80, { image: 'ealen/echo-server', podName: 'echo' }, '/x?y=1')).body)).toMatchObject({
      http: { method: 'GET', originalUrl: '/x?y=1' },
      environment: { HOSTNAME: 'echo' },
    });
    expect((await ask(8080, { image: 'registry.k8s.io/echoserver:1.10', podName: 'es' })).body).toContain(
      'Hostname: es',
    );
    expect((await ask(8080, { image: 'gcr.io/google-samples/hello-app:2.0', podName: 'hello' })).body).toBe(
      'Hello, world!\nVersion: 2.0.0\nHostname: hello\n',
    );
    expect((await ask(80, { image: 'httpd:2.4', podName: 'apache' })).body).toContain('It works!');
    expect((await ask(9376, { args: ['serve-hostname'], podName: 'sh' })).body).toBe('sh');
    expect((await ask(9001, { args: ['porter'], env: [{ name: 'SERVE_PORT_9001', value: 'nine' }] })).body).toBe(
      'nine',
    );
  });
});

describe('agnhost in kubectl exec', () => {
  test('connects from the pod, and names the failure', async () => {
    await using lab = await createKubeletLab();
    const server = await lab.run(netexec);
    const client = await lab.run({ args: ['pause'] });
    const ip = server.status?.podIP;
    const connect = (...args: readonly string[]) => lab.exec(client, ['/agnhost', 'connect', ...args]);
    expect(await connect(`${ip}:8080`, '--timeout=3s')).toEqual({ exitCode: 0, stdout: '', stderr: '' });
    expect(await connect(`${ip}:1`)).toEqual({ exitCode: 1, stdout: '', stderr: 'REFUSED\n' });
    expect(await connect(`${ip}:8081`, '--protocol=udp')).toMatchObject({ exitCode: 0 });
    expect(await connect(`${ip}:9`, '--protocol=udp')).toMatchObject({ stderr: 'REFUSED: read: connection refused\n' });
    for (const protocol of ['tcp', 'udp'])
      expect(await connect('[fe80::1%nosuch]:9', `--protocol=${protocol}`)).toMatchObject({ exitCode: 1 });
    expect(await connect('nonsense')).toMatchObject({ exitCode: 1, stderr: expect.stringMatching(/^UNKNOWN: /) });
    expect(await connect('no.such.host.invalid:80')).toMatchObject({
      exitCode: 1,
      stderr: expect.stringMatching(/^DNS: /),
    });
    expect(await connect('172.18.77.77:80', '--timeout=200ms')).toMatchObject({ exitCode: 1, stderr: 'TIMEOUT\n' });
  });

  test('prints what the pod resolves with', async () => {
    await using lab = await createKubeletLab();
    const pod = await lab.run({ args: ['pause'], podName: 'p' });
    expect((await lab.exec(pod, ['agnhost', 'dns-suffix'])).stdout).toBe(
      'default.svc.cluster.local,svc.cluster.local,cluster.local\n',
    );
    expect((await lab.exec(pod, ['agnhost', 'dns-server-list'])).stdout).toBe('10.96.0.10\n');
    expect((await lab.exec(pod, ['agnhost', 'etc-hosts'])).stdout).toContain('\tp\n');
    expect(await lab.exec(pod, ['agnhost', 'nonsense'])).toMatchObject({ exitCode: 1 });
  });
});
