import { describe, expect, it } from 'vitest';
import { readProxySettings } from '../../../../src/cluster/offline/proxy-settings.ts';
import { DEFAULT_LIMITS } from '../../../../src/proxy/userspace/transport.ts';

const HEAD = 'apiVersion: kubeproxy.config.k8s.io/v1alpha1\nkind: KubeProxyConfiguration\n';
const file = (yaml: string) => ({ file: 'proxy.yaml', text: HEAD + yaml });

describe('settings of a proxy on a host', () => {
  it('are iptables mode without a word', () => {
    expect(readProxySettings({})).toMatchObject({ rules: 'iptables', config: { mode: 'iptables' } });
  });

  it('lead to userspace mode by nftables, with its own limits', () => {
    const { rules, config, limits } = readProxySettings({ mode: 'userspace', idleTimeout: '1h', drainTimeout: '30s' });
    expect([rules, config.mode, config.portalRules]).toEqual(['nftables', 'userspace', 'nftables']);
    expect(limits).toEqual({ ...DEFAULT_LIMITS, idleMs: 3_600_000, drainMs: 30_000 });
  });

  it('take userspace mode from a configuration, and the section of the rules that lead there', () => {
    const config = file(
      'mode: userspace\nudpIdleTimeout: 5s\niptables: {masqueradeBit: 3}\nnftables: {masqueradeBit: 4}',
    );
    const read = readProxySettings({ config, portalRules: 'iptables' });
    expect(read).toMatchObject({ rules: 'iptables', config: { mode: 'userspace', masqueradeBit: 3 } });
    expect(read.limits.udpIdleMs).toBe(5000);
    expect(readProxySettings({ config }).config.masqueradeBit).toBe(4);
  });

  it.each([
    [{ mode: 'nftables', portalRules: 'iptables' }, 'mean nothing in nftables mode'],
    [{ idleTimeout: '1h' }, 'mean nothing in iptables mode'],
    [{ mode: 'userspace', drainTimeout: '10' }, '--drain-timeout: "10" is no duration'],
    [{ mode: 'userspace', idleTimeout: '-1s' }, '--idle-timeout: "-1s" is no duration'],
  ] as const)('%j is refused with the reason', (options, message) => {
    expect(() => readProxySettings(options)).toThrow(message);
  });
});
