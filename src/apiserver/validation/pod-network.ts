import type { HostAlias, PodDNSConfig, PodSpec } from '../../kube/generated/types.ts';
import type { FieldCause } from '../schema/contract.ts';
import { validateAddress } from './addresses.ts';
import { invalid, invalidEach, notSupported, required } from './field-errors.ts';
import { dns1123Label, dns1123Subdomain } from './names.ts';

const DNS_POLICIES = ['ClusterFirstWithHostNet', 'ClusterFirst', 'Default', 'None'];
const MAX_NAMESERVERS = 3;
const MAX_SEARCHES = 32;
const MAX_SEARCH_LENGTH = 2048;

/** What is wrong with `dnsPolicy`. */
export function validateDnsPolicy({ dnsPolicy }: PodSpec, path: string): FieldCause[] {
  if (!dnsPolicy) return [required(`${path}.dnsPolicy`)];
  return DNS_POLICIES.includes(dnsPolicy) ? [] : [notSupported(`${path}.dnsPolicy`, dnsPolicy, DNS_POLICIES)];
}

/** What is wrong with `dnsConfig`, which a pod without a policy has to have. */
export function validateDnsConfig({ dnsPolicy, dnsConfig }: PodSpec, path: string): FieldCause[] {
  const at = `${path}.dnsConfig`;
  if (dnsPolicy !== 'None') return dnsConfig ? validateConfig(dnsConfig, at) : [];
  if (!dnsConfig) return [required(at, 'must provide `dnsConfig` when `dnsPolicy` is None')];
  const none = dnsConfig.nameservers?.length
    ? []
    : [required(`${at}.nameservers`, 'must provide at least one DNS nameserver when `dnsPolicy` is None')];
  return [...none, ...validateConfig(dnsConfig, at)];
}

function validateConfig({ nameservers = [], searches = [], options = [] }: PodDNSConfig, path: string): FieldCause[] {
  const causes: FieldCause[] = [];
  if (nameservers.length > MAX_NAMESERVERS)
    causes.push(invalid(`${path}.nameservers`, nameservers, `must not have more than ${MAX_NAMESERVERS} nameservers`));
  nameservers.forEach((server, i) => void causes.push(...validateAddress(server, `${path}.nameservers[${i}]`)));
  if (searches.length > MAX_SEARCHES)
    causes.push(invalid(`${path}.searches`, searches, `must not have more than ${MAX_SEARCHES} search paths`));
  if (searches.join(' ').length > MAX_SEARCH_LENGTH)
    causes.push(
      invalid(
        `${path}.searches`,
        searches,
        `must not have more than ${MAX_SEARCH_LENGTH} characters (including spaces) in the search list`,
      ),
    );
  searches.forEach((search, i) => {
    if (search === '.') return;
    // Names of services begin with underscores.
    const name = search
      .replace(/\.$/, '')
      .replaceAll('_', '-')
      .replace(/^-|(?<=\.)-/g, 'x');
    causes.push(...invalidEach(`${path}.searches[${i}]`, search, dns1123Subdomain(name)));
  });
  options.forEach(({ name }, i) => {
    if (!name) causes.push(required(`${path}.options[${i}]`, 'must not be empty'));
  });
  return causes;
}

/** What is wrong with the names of a pod in the network and with its own hosts file. */
export function validateHostNames({ hostname, subdomain, hostAliases = [] }: PodSpec, path: string): FieldCause[] {
  return [
    ...(hostname ? invalidEach(`${path}.hostname`, hostname, dns1123Label(hostname)) : []),
    ...(subdomain ? invalidEach(`${path}.subdomain`, subdomain, dns1123Label(subdomain)) : []),
    ...hostAliases.flatMap((alias, i) => validateHostAlias(alias, `${path}.hostAliases[${i}]`)),
  ];
}

function validateHostAlias({ ip, hostnames = [] }: HostAlias, path: string): FieldCause[] {
  const names = hostnames.flatMap((name, i) => invalidEach(`${path}.hostnames[${i}]`, name, dns1123Subdomain(name)));
  return [...validateAddress(ip ?? '', `${path}.ip`), ...names];
}
