import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Place } from '../../../src/index.ts';
import type { Pod } from '../../../src/kube/generated/types.ts';
import { NetworkScenario } from '../../helpers/network-scenario.ts';

describe('names in a cluster', () => {
  let lab: NetworkScenario;
  let caller: Place;

  beforeAll(async () => {
    lab = await NetworkScenario.create();
    await lab.netexec(['caller'], 'caller');
    await lab.netexec(['web-1', 'web-2'], 'web');
    caller = lab.cluster.pod('caller');
  });
  afterAll(() => lab?.[Symbol.asyncDispose]());

  // As programs resolve: the pod's resolv.conf, its hosts file, glibc.
  async function lookUp(name: string, from = caller): Promise<readonly string[]> {
    const { stdout } = await from.exec(['getent', 'ahostsv4', name]);
    return [...new Set(stdout.split('\n').flatMap((line) => line.split(' ')[0] || []))].sort();
  }

  // As a DNS client asks, without a search path.
  async function resolve(type: 'Cname' | 'Srv' | 'Ptr', name: string): Promise<readonly unknown[]> {
    const script = `require('dns').resolve${type}('${name}', (error, found) => console.log(JSON.stringify(error ? [error.code] : found)))`;
    return JSON.parse((await caller.exec([process.execPath, '-e', script])).stdout);
  }

  const ipsOf = (pods: readonly Pod[]): readonly string[] => pods.map(({ status }) => status?.podIP ?? '').sort();

  it('N01 a pod finds itself in its hosts file, by its name and its subdomain', async () => {
    const [pod] = await lab.netexec(['member'], 'member', { spec: { hostname: 'first', subdomain: 'group' } });
    const { stdout } = await lab.cluster.pod('member').exec(['cat', '/etc/hosts']);
    expect(stdout).toMatch(/^# Kubernetes-managed hosts file/);
    expect(stdout).toContain(`${pod?.status?.podIP}\tfirst.group.default.svc.cluster.local\tfirst`);
    expect(await lookUp('first', lab.cluster.pod('member'))).toEqual([pod?.status?.podIP]);
  });

  it('N02 an ExternalName Service is a CNAME, follows its change, and becomes an address', async () => {
    const name = 'alias.default.svc.cluster.local';
    await lab.service('target', { selector: { app: 'web' }, ports: [{ port: 80, targetPort: 8080 }] });
    await lab.service('alias', { type: 'ExternalName', externalName: 'one.example.com' });
    await expect.poll(() => resolve('Cname', name)).toEqual(['one.example.com']);
    await lab.service('alias', { type: 'ExternalName', externalName: 'target.default.svc.cluster.local' });
    await expect.poll(() => resolve('Cname', name)).toEqual(['target.default.svc.cluster.local']);
    const { spec } = await lab.service('alias', { type: 'ClusterIP', ports: [{ port: 80 }] });
    await expect.poll(() => lookUp('alias')).toEqual([spec?.clusterIP]);
  });

  it('N03 N04 a pod with hostname and subdomain has its name, and that of the subdomain', async () => {
    await lab.service('group', { clusterIP: 'None', selector: { app: 'member' }, ports: [{ port: 80 }] });
    const { status } = await lab.cluster.get<Pod>('pods', 'member', 'default');
    for (const name of ['first.group', 'first.group.default.svc.cluster.local', 'group'])
      await expect.poll(() => lookUp(name)).toEqual([status?.podIP]);
  });

  it('N05 headless Services give every ready endpoint, others their address, by A and SRV', async () => {
    const pods = await Promise.all(['web-1', 'web-2'].map((name) => lab.cluster.get<Pod>('pods', name, 'default')));
    const ports = [{ name: 'http', port: 80, targetPort: 8080 }];
    await lab.service('many', { clusterIP: 'None', selector: { app: 'web' }, ports });
    const { spec } = await lab.service('one', { selector: { app: 'web' }, ports });
    await expect.poll(() => lookUp('many')).toEqual(ipsOf(pods));
    await expect.poll(() => lookUp('one')).toEqual([spec?.clusterIP]);
    const srv = (name: string) => resolve('Srv', `_http._tcp.${name}.default.svc.cluster.local`);
    expect(await srv('one')).toMatchObject([
      { name: 'one.default.svc.cluster.local', port: 80, priority: 0, weight: 100 },
    ]);
    expect(((await srv('many')) as { port: number }[]).map(({ port }) => port)).toEqual([8080, 8080]);
    const reverse = spec?.clusterIP?.split('.').reverse().join('.');
    expect(await resolve('Ptr', `${reverse}.in-addr.arpa`)).toEqual(['one.default.svc.cluster.local']);
  });

  it('N06 kubernetes.default resolves from any pod', async () => {
    for (const pod of ['caller', 'web-1', 'web-2'])
      expect(await lookUp('kubernetes.default', lab.cluster.pod(pod))).toEqual(['10.96.0.1']);
  });

  it('N07 names in part resolve through the search path, from another namespace too', async () => {
    const address = await lookUp('one');
    for (const name of ['one.default', 'one.default.svc', 'one.default.svc.cluster.local.'])
      expect(await lookUp(name), name).toEqual(address);
    await lab.apply(
      { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'team' } },
      {
        apiVersion: 'v1',
        kind: 'Pod',
        metadata: { name: 'stranger', namespace: 'team' },
        spec: { containers: [{ name: 'main', image: 'busybox' }] },
      },
    );
    await lab.cluster.wait({ resource: 'pods', name: 'stranger', namespace: 'team', for: 'Ready' });
    const stranger = lab.cluster.pod('stranger', { namespace: 'team' });
    expect(await lookUp('one.default', stranger)).toEqual(address);
    expect(await lookUp('one', stranger)).toEqual([]);
  });

  it('N08 with dnsPolicy None the resolv.conf holds exactly what dnsConfig says', async () => {
    const dnsConfig = {
      nameservers: ['192.0.2.53', '2001:db8::53'],
      searches: ['first.example', 'second.example'],
      options: [{ name: 'ndots', value: '2' }, { name: 'edns0' }],
    };
    await lab.netexec(['own-dns'], 'own-dns', { spec: { dnsPolicy: 'None', dnsConfig } });
    const { stdout } = await lab.cluster.pod('own-dns').exec(['cat', '/etc/resolv.conf']);
    expect(stdout).toBe(
      'search first.example second.example\nnameserver 192.0.2.53\nnameserver 2001:db8::53\noptions ndots:2 edns0\n',
    );
  });
});
