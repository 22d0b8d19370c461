import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { UserError } from '../../../../src/errors/towtank-error.ts';
import { parseGoDuration } from '../../../../src/proxy/config/go-duration.ts';
import { DEFAULT_PROXY_CONFIG } from '../../../../src/proxy/config/proxy-config.ts';
import { readKubeProxyConfiguration } from '../../../../src/proxy/config/read-kube-proxy-configuration.ts';

const HEAD = 'apiVersion: kubeproxy.config.k8s.io/v1alpha1\nkind: KubeProxyConfiguration\n';
const read = (yaml: string) => readKubeProxyConfiguration(HEAD + yaml, 'proxy.yaml');
const problemOf = (yaml: string): string => {
  try {
    read(yaml);
  } catch (error) {
    expect(error).toBeInstanceOf(UserError);
    expect(error).toMatchObject({ code: 'ERR_INVALID_CONFIG' });
    return (error as Error).message;
  }
  return 'no problem';
};

// What kubeadm 1.30 writes into the ConfigMap kube-system/kube-proxy.
const KUBEADM = `
bindAddress: 0.0.0.0
bindAddressHardFail: false
clientConnection:
  acceptContentTypes: ""
  burst: 0
  contentType: ""
  kubeconfig: /var/lib/kube-proxy/kubeconfig.conf
  qps: 0
clusterCIDR: 10.244.0.0/16,fd00:10:244::/56
configSyncPeriod: 0s
conntrack:
  maxPerCore: null
  min: null
  tcpBeLiberal: false
  tcpCloseWaitTimeout: null
  tcpEstablishedTimeout: null
  udpStreamTimeout: 0s
  udpTimeout: 0s
detectLocal:
  bridgeInterface: ""
  interfaceNamePrefix: ""
detectLocalMode: ""
enableProfiling: false
healthzBindAddress: ""
hostnameOverride: ""
iptables:
  localhostNodePorts: null
  masqueradeAll: false
  masqueradeBit: null
  minSyncPeriod: 0s
  syncPeriod: 0s
ipvs:
  excludeCIDRs: null
  minSyncPeriod: 0s
  scheduler: ""
  strictARP: false
  syncPeriod: 0s
  tcpFinTimeout: 0s
  tcpTimeout: 0s
  udpTimeout: 0s
logging:
  flushFrequency: 0
  options:
    json:
      infoBufferSize: "0"
    text:
      infoBufferSize: "0"
  verbosity: 0
metricsBindAddress: ""
mode: ""
nftables:
  masqueradeAll: false
  masqueradeBit: null
  minSyncPeriod: 0s
  syncPeriod: 0s
nodePortAddresses: null
oomScoreAdj: null
portRange: ""
showHiddenMetricsForVersion: ""
winkernel:
  enableDSR: false
  forwardHealthCheckVip: false
  networkName: ""
  rootHnsEndpointName: ""
  sourceVip: ""
`;

describe("kube-proxy's configuration file", () => {
  it('as kubeadm writes it means the defaults and what kubeadm set', () => {
    expect(read(KUBEADM)).toEqual({
      config: { ...DEFAULT_PROXY_CONFIG, clusterCIDRs: ['10.244.0.0/16', 'fd00:10:244::/56'] },
      kubeconfig: '/var/lib/kube-proxy/kubeconfig.conf',
    });
  });

  it('takes null for not set', () => {
    const content = ['mode', 'iptables', 'bindAddress', 'detectLocalMode', 'nodePortAddresses', 'featureGates'];
    expect(read(content.map((field) => `${field}: null`).join('\n')).config).toEqual(DEFAULT_PROXY_CONFIG);
  });

  it('is read with everything that has a meaning here', () => {
    const { config } = read(`
mode: nftables
hostnameOverride: " Node-1 "
bindAddress: "::"
healthzBindAddress: 127.0.0.1
detectLocalMode: InterfaceNamePrefix
detectLocal: {interfaceNamePrefix: veth}
nodePortAddresses: [primary]
oomScoreAdj: -500
nftables: {masqueradeAll: true, masqueradeBit: 20, syncPeriod: 1m30s, minSyncPeriod: 500ms}
iptables: {localhostNodePorts: false, masqueradeBit: 3}
conntrack: {maxPerCore: 0, min: 7, tcpEstablishedTimeout: 0s, tcpCloseWaitTimeout: 2h, tcpBeLiberal: true, udpTimeout: 30s}
featureGates: {ServiceTrafficDistribution: false}
`);
    expect(config).toMatchObject({
      mode: 'nftables',
      hostnameOverride: 'node-1',
      healthzBindAddress: '127.0.0.1:10256',
      metricsBindAddress: '[::1]:10249',
      detectLocalMode: 'InterfaceNamePrefix',
      interfaceNamePrefix: 'veth',
      nodePortAddresses: ['primary'],
      oomScoreAdj: -500,
      masqueradeAll: true,
      masqueradeBit: 20,
      syncPeriodMs: 90_000,
      minSyncPeriodMs: 500,
      localhostNodePorts: false,
      conntrack: {
        maxPerCore: 0,
        min: 7,
        tcpEstablishedTimeout: undefined,
        tcpCloseWaitTimeout: 7200,
        tcpBeLiberal: true,
        udpTimeout: 30,
      },
      featureGates: { ServiceTrafficDistribution: false },
    });
  });

  it.each([
    ['modus: iptables', 'modus: unknown field'],
    ['iptables: {masquerade: true}', 'iptables.masquerade: unknown field'],
    ['conntrack: {udp: {timeout: 1s}}', 'conntrack.udp: unknown field'],
    ['constructor: 1', 'constructor: unknown field'],
    ['mode: ipvs', 'mode: "ipvs" is not supported here'],
    ['bindAddress: localhost', 'bindAddress: must be an IP address'],
    ['metricsBindAddress: 127.0.0.1:0', 'metricsBindAddress: must be IP:port'],
    ['iptables: {masqueradeBit: 32}', 'iptables.masqueradeBit: must be a whole number, from 0 to 31'],
    ['iptables: {syncPeriod: 30}', 'iptables.syncPeriod: must be a duration'],
    ['iptables: {syncPeriod: -1s}', 'iptables.syncPeriod: must not be negative'],
    ['iptables: {syncPeriod: 1s, minSyncPeriod: 2s}', 'iptables.minSyncPeriod: must not be greater'],
    ['iptables: []', 'iptables: must be an object'],
    ['clusterCIDR: 10.0.0.0/8,10.1.0.0/16', 'clusterCIDR: must be one CIDR'],
    ['clusterCIDR: 10.0.0.1', 'clusterCIDR: must be one CIDR'],
    ['nodePortAddresses: [10.0.0.1]', 'nodePortAddresses: "10.0.0.1" is no CIDR'],
    ['nodePortAddresses: [primary, 10.0.0.0/8]', 'nodePortAddresses: primary must stand alone'],
    ['detectLocalMode: Guess', 'detectLocalMode: must be one of'],
    ['detectLocalMode: BridgeInterface', 'detectLocal.bridgeInterface: must not be empty'],
    ['featureGates: {X: yes please}', 'featureGates: must hold true or false'],
    ['oomScoreAdj: 2000', 'oomScoreAdj: must be a whole number, from -1000 to 1000'],
    ['mode: [', 'proxy.yaml: '],
    ['detectLocal: {bridgeInterface: "br0 -j ACCEPT"}', 'detectLocal.bridgeInterface: must be letters, digits'],
    ['detectLocal: {interfaceNamePrefix: "veth\\n-A"}', 'detectLocal.interfaceNamePrefix: must be letters, digits'],
    ['detectLocal: {interfaceNamePrefix: fifteen-letters}', 'detectLocal.interfaceNamePrefix: must be letters'],
    ['logging: {format: xml}', 'logging.format: must be one of'],
    ['logging: {vmodule: [{file: x}]}', 'file: unknown field'],
    ['ipvs: {excludeCIDRs: 10.0.0.0/8}', 'ipvs.excludeCIDRs: must be a list'],
    ['portRange: some', 'portRange: must be a range of ports'],
  ])('is refused for %s', (yaml, problem) => {
    expect(problemOf(yaml)).toContain(problem);
  });

  it('names every wrong field at once', () => {
    expect(problemOf('a: 1\nb: 2\niptables: {masqueradeAll: 3}').split('\n')).toHaveLength(3);
  });

  it.each(['', '[]', '3', 'kind: Pod', 'kind: KubeProxyConfiguration'])('is not %j', (content) => {
    expect(() => readKubeProxyConfiguration(content, 'proxy.yaml')).toThrow(UserError);
  });

  it('never fails in another way', () => {
    fc.assert(
      fc.property(
        fc.dictionary(fc.constantFrom('mode', 'iptables', 'conntrack', 'clusterCIDR', 'x'), fc.jsonValue()),
        (object) => {
          try {
            readKubeProxyConfiguration(
              JSON.stringify({
                apiVersion: 'kubeproxy.config.k8s.io/v1alpha1',
                kind: 'KubeProxyConfiguration',
                ...object,
              }),
              'f',
            );
          } catch (error) {
            expect(error).toBeInstanceOf(UserError);
          }
        },
      ),
    );
  });
});

it.each([
  ['30s', 30_000],
  ['1h30m', 5_400_000],
  ['1.5s', 1500],
  ['-2ms', -2],
  ['0', 0],
  ['', undefined],
  ['30', undefined],
  ['s', undefined],
  ['1s x', undefined],
])('the duration %j has %s milliseconds', (text, ms) => {
  expect(parseGoDuration(text)).toBe(ms);
});
