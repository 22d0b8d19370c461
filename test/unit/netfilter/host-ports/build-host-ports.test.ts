import { describe, expect, test } from 'vitest';
import {
  buildHostPorts,
  hostPortChain,
  printHostPorts,
} from '../../../../src/netfilter/host-ports/build-host-ports.ts';

const chain = hostPortChain('pod-1');
const tcp = { protocol: 'tcp', hostPort: 8080, podIP: '10.244.1.2', containerPort: 80 } as const;

describe('the rules of host ports', () => {
  test('have the chains of the CNI plugin portmap', () => {
    const chains = buildHostPorts('ipv4', [{ owner: 'pod-1', mappings: [{ ...tcp, hostIP: '172.18.0.2' }] }]);
    expect(chain).toMatch(/^CNI-DN-[0-9a-f]{21}$/);
    expect(printHostPorts(chains, [])).toBe(`*nat
:CNI-HOSTPORT-DNAT - [0:0]
:CNI-HOSTPORT-SETMARK - [0:0]
:CNI-HOSTPORT-MASQ - [0:0]
:${chain} - [0:0]
-A CNI-HOSTPORT-DNAT -d 172.18.0.2/32 -p tcp -m tcp --dport 8080 -m comment --comment "dnat name: \\"towtank\\" id: \\"pod-1\\"" -j ${chain}
-A CNI-HOSTPORT-SETMARK -m comment --comment "CNI portfwd masquerade mark" -j MARK --set-xmark 0x2000/0x2000
-A CNI-HOSTPORT-MASQ -m mark --mark 0x2000/0x2000 -j MASQUERADE
-A ${chain} -s 10.244.1.2/32 -d 172.18.0.2/32 -p tcp -m tcp --dport 8080 -j CNI-HOSTPORT-SETMARK
-A ${chain} -s 127.0.0.1/32 -d 172.18.0.2/32 -p tcp -m tcp --dport 8080 -j CNI-HOSTPORT-SETMARK
-A ${chain} -d 172.18.0.2/32 -p tcp -m tcp --dport 8080 -j DNAT --to-destination 10.244.1.2:80
COMMIT
`);
  });

  test('keep the families apart', () => {
    const owners = [{ owner: 'pod-1', mappings: [tcp, { ...tcp, podIP: 'fd00::2' }] }];
    const print = (family: 'ipv4' | 'ipv6') => printHostPorts(buildHostPorts(family, owners), []);
    expect(print('ipv6')).toContain('-j DNAT --to-destination [fd00::2]:80');
    expect(print('ipv6')).not.toContain('10.244.1.2');
    expect(print('ipv4')).not.toContain('fd00::2');
    expect(printHostPorts(buildHostPorts('ipv6', [{ owner: 'x', mappings: [tcp] }]), [])).not.toContain('CNI-DN-');
  });

  test('take away the chain of a pod that is gone', () => {
    const text = printHostPorts(buildHostPorts('ipv4', []), [chain]);
    expect(text).toContain(`:${chain} - [0:0]\n`);
    expect(text).toContain(`-X ${chain}\nCOMMIT`);
  });
});
