import { parse } from 'yaml';
import { UserError } from '../../errors/towtank-error.ts';
import { familyOf } from '../../netfilter/address.ts';
import { checkFields, KUBE_PROXY_CONFIGURATION } from './config-schema.ts';
import { parseGoDuration } from './go-duration.ts';
import {
  type ConntrackConfig,
  DEFAULT_PROXY_CONFIG,
  type DetectLocalMode,
  type PortalRules,
  type ProxyConfig,
  type ProxyMode,
  rulesModeOf,
} from './proxy-config.ts';

/** KubeProxyConfiguration as it is in the file, after its fields have been checked. */
interface KubeProxyConfiguration {
  readonly apiVersion?: string;
  readonly kind?: string;
  readonly mode?: string;
  readonly hostnameOverride?: string;
  readonly bindAddress?: string;
  readonly healthzBindAddress?: string;
  readonly metricsBindAddress?: string;
  readonly detectLocalMode?: string;
  readonly detectLocal?: { readonly bridgeInterface?: string; readonly interfaceNamePrefix?: string };
  readonly clusterCIDR?: string;
  readonly nodePortAddresses?: readonly string[];
  readonly featureGates?: Readonly<Record<string, boolean>>;
  readonly iptables?: ModeSection & { readonly localhostNodePorts?: boolean };
  readonly nftables?: ModeSection;
  readonly oomScoreAdj?: number;
  readonly udpIdleTimeout?: string;
  readonly conntrack?: { readonly [K in keyof ConntrackConfig]?: string | number | boolean | null };
  readonly clientConnection?: { readonly kubeconfig?: string };
}

interface ModeSection {
  readonly masqueradeBit?: number;
  readonly masqueradeAll?: boolean;
  readonly syncPeriod?: string;
  readonly minSyncPeriod?: string;
}

export interface ReadConfiguration {
  readonly config: ProxyConfig;
  /** clientConnection.kubeconfig, '' when it is not set. */
  readonly kubeconfig: string;
  /** udpIdleTimeout of userspace mode; undefined when it is not set. */
  readonly udpIdleMs: number | undefined;
}

/** What is said elsewhere, and wins over a file. */
export interface ConfigurationOverrides {
  readonly mode?: ProxyMode | undefined;
  readonly portalRules?: PortalRules | undefined;
}

/**
 * Reads a KubeProxyConfiguration (YAML or JSON). `file` is how errors name it; a mode in `overrides` replaces its mode, so that
 * the settings of that mode are taken. Throws UserError ERR_INVALID_CONFIG that names every unknown or invalid field.
 */
export function readKubeProxyConfiguration(
  content: string,
  file: string,
  { mode, portalRules = DEFAULT_PROXY_CONFIG.portalRules }: ConfigurationOverrides = {},
): ReadConfiguration {
  const given = parseDocument(content, file);
  const document = mode === undefined ? given : { ...given, mode };
  const problems = [...checkKind(document as KubeProxyConfiguration), ...checkFields(given, KUBE_PROXY_CONFIGURATION)];
  if (problems.length === 0) problems.push(...checkMeaning(document as KubeProxyConfiguration));
  if (problems.length > 0) throw invalid(file, problems);
  return toConfig(withoutNulls(document) as KubeProxyConfiguration, portalRules);
}

function parseDocument(content: string, file: string): object {
  let document: unknown;
  try {
    document = parse(content);
  } catch (error) {
    throw invalid(file, [(error as Error).message.split('\n', 1)[0] ?? ''], error);
  }
  if (typeof document !== 'object' || document === null || Array.isArray(document)) {
    throw invalid(file, ['is no KubeProxyConfiguration']);
  }
  return document;
}

function invalid(file: string, problems: readonly string[], cause?: unknown): UserError {
  return new UserError({
    code: 'ERR_INVALID_CONFIG',
    message: problems.map((problem) => `${file}: ${problem}`).join('\n'),
    hint: 'see the reference of kubeproxy.config.k8s.io/v1alpha1',
    cause,
  });
}

function checkKind({ apiVersion, kind }: KubeProxyConfiguration): string[] {
  if (apiVersion === 'kubeproxy.config.k8s.io/v1alpha1' && kind === 'KubeProxyConfiguration') return [];
  return ['apiVersion and kind must be kubeproxy.config.k8s.io/v1alpha1 and KubeProxyConfiguration'];
}

function checkMeaning(document: KubeProxyConfiguration): string[] {
  const { mode, detectLocalMode, detectLocal } = document;
  const problems: string[] = [];
  if (!['', 'iptables', 'nftables', 'userspace'].includes(mode ?? '')) {
    problems.push(`mode: ${JSON.stringify(mode)} is not supported here; use iptables, nftables or userspace`);
  }
  if (detectLocalMode === 'BridgeInterface' && !detectLocal?.bridgeInterface) {
    problems.push('detectLocal.bridgeInterface: must not be empty in mode BridgeInterface');
  }
  if (detectLocalMode === 'InterfaceNamePrefix' && !detectLocal?.interfaceNamePrefix) {
    problems.push('detectLocal.interfaceNamePrefix: must not be empty in mode InterfaceNamePrefix');
  }
  for (const section of ['iptables', 'nftables'] as const) {
    const { syncPeriod, minSyncPeriod } = document[section] ?? {};
    if (milliseconds(minSyncPeriod, 0) > milliseconds(syncPeriod, DEFAULT_PROXY_CONFIG.syncPeriodMs)) {
      problems.push(`${section}.minSyncPeriod: must not be greater than ${section}.syncPeriod`);
    }
  }
  return problems;
}

// "0s" means "the default" in this kind.
const milliseconds = (text: string | undefined | null, fallback: number): number =>
  parseGoDuration(text ?? '') || fallback;

function toConfig(document: KubeProxyConfiguration, portalRules: PortalRules): ReadConfiguration {
  const defaults = DEFAULT_PROXY_CONFIG;
  const mode = (document.mode || defaults.mode) as ProxyMode;
  const section: ModeSection = document[rulesModeOf({ mode, portalRules })] ?? {};
  const bindAddress = document.bindAddress || defaults.bindAddress;
  const config: ProxyConfig = {
    ...defaults,
    mode,
    portalRules,
    hostnameOverride: (document.hostnameOverride ?? '').trim().toLowerCase(),
    bindAddress,
    healthzBindAddress: withPort(document.healthzBindAddress, unspecified(bindAddress), 10_256),
    metricsBindAddress: withPort(document.metricsBindAddress, loopback(bindAddress), 10_249),
    detectLocalMode: (document.detectLocalMode || defaults.detectLocalMode) as DetectLocalMode,
    bridgeInterface: document.detectLocal?.bridgeInterface ?? '',
    interfaceNamePrefix: document.detectLocal?.interfaceNamePrefix ?? '',
    clusterCIDRs: (document.clusterCIDR ?? '').split(',').filter((cidr) => cidr !== ''),
    nodePortAddresses: document.nodePortAddresses ?? [],
    masqueradeAll: section.masqueradeAll ?? defaults.masqueradeAll,
    masqueradeBit: section.masqueradeBit ?? defaults.masqueradeBit,
    localhostNodePorts: document.iptables?.localhostNodePorts ?? defaults.localhostNodePorts,
    syncPeriodMs: milliseconds(section.syncPeriod, defaults.syncPeriodMs),
    minSyncPeriodMs: milliseconds(section.minSyncPeriod, 0) || undefined,
    conntrack: toConntrack(document.conntrack ?? {}),
    oomScoreAdj: document.oomScoreAdj ?? defaults.oomScoreAdj,
    featureGates: document.featureGates ?? {},
  };
  return {
    config,
    kubeconfig: document.clientConnection?.kubeconfig ?? '',
    udpIdleMs: milliseconds(document.udpIdleTimeout, 0) || undefined,
  };
}

function toConntrack(section: NonNullable<KubeProxyConfiguration['conntrack']>): ConntrackConfig {
  const defaults = DEFAULT_PROXY_CONFIG.conntrack;
  // Here "0s" means "leave the kernel's value", and a field that is not there has a default.
  const seconds = (text: unknown, fallback: number | undefined): number | undefined =>
    typeof text === 'string' ? Math.floor(parseGoDuration(text)! / 1000) || undefined : fallback;
  return {
    maxPerCore: (section.maxPerCore as number | undefined) ?? defaults.maxPerCore,
    min: (section.min as number | undefined) ?? defaults.min,
    tcpEstablishedTimeout: seconds(section.tcpEstablishedTimeout, defaults.tcpEstablishedTimeout),
    tcpCloseWaitTimeout: seconds(section.tcpCloseWaitTimeout, defaults.tcpCloseWaitTimeout),
    tcpBeLiberal: (section.tcpBeLiberal as boolean | undefined) ?? defaults.tcpBeLiberal,
    udpTimeout: seconds(section.udpTimeout, defaults.udpTimeout),
    udpStreamTimeout: seconds(section.udpStreamTimeout, defaults.udpStreamTimeout),
  };
}

const isV6 = (address: string): boolean => familyOf(address) === 'ipv6';
const unspecified = (bindAddress: string): string => (isV6(bindAddress) ? '::' : '0.0.0.0');
const loopback = (bindAddress: string): string => (isV6(bindAddress) ? '::1' : '127.0.0.1');

function withPort(address: string | undefined, host: string, port: number): string {
  const text = address || host;
  if (familyOf(text) === undefined) return text;
  return isV6(text) ? `[${text}]:${port}` : `${text}:${port}`;
}

function withoutNulls(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutNulls);
  if (typeof value !== 'object' || value === null) return value;
  const entries = Object.entries(value).filter(([, inner]) => inner !== null);
  return Object.fromEntries(entries.map(([name, inner]) => [name, withoutNulls(inner)]));
}
