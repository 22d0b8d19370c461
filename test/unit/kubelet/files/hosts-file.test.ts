import { describe, expect, test } from 'vitest';
import { buildHostNetworkHostsFile, buildHostsFile } from '../../../../src/kubelet/files/hosts-file.ts';
import { podHostname } from '../../../../src/kubelet/files/pod-hostname.ts';
import { buildPod } from '../../../helpers/build-objects.ts';

describe('/etc/hosts of a pod', () => {
  test('has its addresses with its names (N01)', () => {
    const text = buildHostsFile({
      podIPs: ['10.244.0.2', 'fd00::2'],
      hostname: 'web-0',
      hostDomain: 'web.shop.svc.cluster.local',
      hostAliases: [{ ip: '1.2.3.4', hostnames: ['one', 'two'] }],
    });
    expect(text).toBe(`# Kubernetes-managed hosts file.
127.0.0.1\tlocalhost
::1\tlocalhost ip6-localhost ip6-loopback
fe00::0\tip6-localnet
fe00::0\tip6-mcastprefix
fe00::1\tip6-allnodes
fe00::2\tip6-allrouters
10.244.0.2\tweb-0.web.shop.svc.cluster.local\tweb-0
fd00::2\tweb-0.web.shop.svc.cluster.local\tweb-0

# Entries added by HostAliases.
1.2.3.4\tone\ttwo
`);
  });

  test('on the host network is that of the node', () => {
    expect(buildHostNetworkHostsFile('127.0.0.1 localhost\n', [])).toBe(
      '# Kubernetes-managed hosts file (host network).\n127.0.0.1 localhost\n',
    );
  });
});

describe('the hostname of a pod', () => {
  const of = (options: Parameters<typeof buildPod>[0]) => podHostname(buildPod(options), 'node-1', 'cluster.local');

  test('is its name, its own hostname, or that of the node', () => {
    expect(of({ name: 'web' }).hostname).toBe('web');
    expect(of({ spec: { hostname: 'chosen' } }).hostname).toBe('chosen');
    expect(of({ spec: { hostNetwork: true } }).hostname).toBe('node-1');
    expect(of({ spec: { hostnameOverride: 'other' } }).hostname).toBe('other');
  });

  test('is cut to 63 characters without a trailing dash', () => {
    expect(of({ name: `${'a'.repeat(62)}-bcd` }).hostname).toBe('a'.repeat(62));
  });

  test('has a domain with a subdomain, and can be the whole name', () => {
    const spec = { hostname: 'web', subdomain: 'svc' };
    expect(of({ spec })).toEqual({ hostname: 'web', shortName: 'web', domain: 'svc.default.svc.cluster.local' });
    expect(of({ spec: { ...spec, setHostnameAsFQDN: true } }).hostname).toBe('web.svc.default.svc.cluster.local');
  });
});
