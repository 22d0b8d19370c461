import { hostname } from 'node:os';
import {
  DEFAULT_PROXY_CONFIG,
  type ProxyConfig,
  type RulesMode,
  rulesModeOf,
} from '../../proxy/config/proxy-config.ts';
import { readKubeProxyConfiguration } from '../../proxy/config/read-kube-proxy-configuration.ts';
import type { NamedText } from './print-rules.ts';

export interface RunProxyOptions {
  /** Default: that of the configuration, else the ServiceAccount of the pod. */
  readonly kubeconfig?: string | undefined;
  readonly context?: string | undefined;
  /** Default: the configuration's hostnameOverride, else the host's name. */
  readonly nodeName?: string | undefined;
  /** Default: the configuration's, else iptables. */
  readonly mode?: RulesMode | undefined;
  /** A KubeProxyConfiguration. */
  readonly config?: NamedText | undefined;
}

/** What a proxy on a host is run with, defaults filled in. */
export interface ProxySettings {
  readonly kubeconfig: string | undefined;
  readonly context: string | undefined;
  readonly nodeName: string;
  readonly mode: RulesMode;
  readonly config: ProxyConfig;
}

/** Joins the options of a command line with a configuration file. Throws UserError ERR_INVALID_CONFIG. */
export function readProxySettings({ config: file, ...options }: RunProxyOptions): ProxySettings {
  const { mode: wanted, context } = options;
  const read = file && readKubeProxyConfiguration(file.text, file.file, wanted);
  const config: ProxyConfig = read?.config ?? { ...DEFAULT_PROXY_CONFIG, ...(wanted && { mode: wanted }) };
  const nodeName = options.nodeName ?? (config.hostnameOverride || hostname().trim().toLowerCase());
  return {
    kubeconfig: options.kubeconfig ?? (read?.kubeconfig || undefined),
    context,
    nodeName,
    mode: rulesModeOf(config),
    config,
  };
}
