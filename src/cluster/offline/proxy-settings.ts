import { hostname } from 'node:os';
import { UserError } from '../../errors/towtank-error.ts';
import { parseGoDuration } from '../../proxy/config/go-duration.ts';
import {
  DEFAULT_PROXY_CONFIG,
  type ProxyConfig,
  type ProxyMode,
  type RulesMode,
  rulesModeOf,
} from '../../proxy/config/proxy-config.ts';
import { readKubeProxyConfiguration } from '../../proxy/config/read-kube-proxy-configuration.ts';
import { DEFAULT_LIMITS, type TransportLimits } from '../../proxy/userspace/transport.ts';
import type { NamedText } from './print-rules.ts';

export interface RunProxyOptions {
  /** Default: that of the configuration, else the ServiceAccount of the pod. */
  readonly kubeconfig?: string | undefined;
  readonly context?: string | undefined;
  /** Default: the configuration's hostnameOverride, else the host's name. */
  readonly nodeName?: string | undefined;
  /** Default: the configuration's, else iptables. */
  readonly mode?: ProxyMode | undefined;
  /** A KubeProxyConfiguration. */
  readonly config?: NamedText | undefined;
  /** Of userspace mode; default nftables. */
  readonly portalRules?: RulesMode | undefined;
  /** Of userspace mode, durations such as `30s`; default: no end. */
  readonly idleTimeout?: string | undefined;
  readonly drainTimeout?: string | undefined;
}

/** What a proxy on a host is run with, defaults filled in. */
export interface ProxySettings {
  readonly kubeconfig: string | undefined;
  readonly context: string | undefined;
  readonly nodeName: string;
  /** Which rules it writes. */
  readonly rules: RulesMode;
  readonly config: ProxyConfig;
  /** Of userspace mode. */
  readonly limits: TransportLimits;
}

/** Joins the options of a command line with a configuration file. Throws UserError ERR_INVALID_CONFIG, ERR_USAGE. */
export function readProxySettings({ config: file, ...options }: RunProxyOptions): ProxySettings {
  const { mode: wanted, portalRules = 'nftables', context } = options;
  const read = file && readKubeProxyConfiguration(file.text, file.file, { mode: wanted, portalRules });
  const config: ProxyConfig = read?.config ?? { ...DEFAULT_PROXY_CONFIG, portalRules, ...(wanted && { mode: wanted }) };
  const userspaceOnly = [options.portalRules, options.idleTimeout, options.drainTimeout];
  if (config.mode !== 'userspace' && userspaceOnly.some((value) => value !== undefined)) throw notThisMode(config.mode);
  const nodeName = options.nodeName ?? (config.hostnameOverride || hostname().trim().toLowerCase());
  return {
    kubeconfig: options.kubeconfig ?? (read?.kubeconfig || undefined),
    context,
    nodeName,
    rules: rulesModeOf(config),
    config,
    limits: {
      ...DEFAULT_LIMITS,
      idleMs: milliseconds('--idle-timeout', options.idleTimeout) ?? DEFAULT_LIMITS.idleMs,
      drainMs: milliseconds('--drain-timeout', options.drainTimeout),
      udpIdleMs: read?.udpIdleMs ?? DEFAULT_LIMITS.udpIdleMs,
    },
  };
}

function milliseconds(option: string, text: string | undefined): number | undefined {
  const ms = text === undefined ? undefined : parseGoDuration(text);
  if (text === undefined || (ms !== undefined && ms >= 0)) return ms;
  throw new UserError({
    code: 'ERR_USAGE',
    message: `${option}: ${JSON.stringify(text)} is no duration`,
    hint: 'write it as 30s or 1h30m',
  });
}

function notThisMode(mode: ProxyMode): UserError {
  return new UserError({
    code: 'ERR_USAGE',
    message: `--portal-rules, --idle-timeout and --drain-timeout mean nothing in ${mode} mode`,
    hint: 'they belong to --proxy-mode userspace',
  });
}
