import type { ConntrackConfig } from '../config/proxy-config.ts';

/** A kernel parameter and the value that it should have. */
export interface SysctlSetting {
  readonly key: string;
  readonly value: number;
  /** Leave it when it is larger already. */
  readonly atLeast: boolean;
}

const PREFIX = 'net.netfilter.nf_conntrack_';

/** The connection tracking parameters that a proxy sets at start on a machine with this many processors. */
export function conntrackSettings(config: ConntrackConfig, processors: number): SysctlSetting[] {
  const max = config.maxPerCore === 0 ? 0 : Math.max(config.maxPerCore * processors, config.min);
  const timeouts = [
    ['tcp_timeout_established', config.tcpEstablishedTimeout],
    ['tcp_timeout_close_wait', config.tcpCloseWaitTimeout],
    ['udp_timeout', config.udpTimeout],
    ['udp_timeout_stream', config.udpStreamTimeout],
  ] as const;
  return [
    ...(max === 0 ? [] : [{ key: `${PREFIX}max`, value: max, atLeast: true }]),
    ...(max === 0 ? [] : [{ key: `${PREFIX}buckets`, value: Math.floor(max / 4), atLeast: true }]),
    ...timeouts.flatMap(([name, value]) =>
      value === undefined ? [] : [{ key: PREFIX + name, value, atLeast: false }],
    ),
    ...(config.tcpBeLiberal ? [{ key: `${PREFIX}tcp_be_liberal`, value: 1, atLeast: false }] : []),
  ];
}
