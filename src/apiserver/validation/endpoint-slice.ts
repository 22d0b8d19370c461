import { familyOf } from '../../ipam/address.ts';
import type { Endpoint, EndpointHints, EndpointSlice, EndpointSlicePort } from '../../kube/generated/types.ts';
import { sameValue } from '../machinery/api-object.ts';
import type { FieldCause } from '../schema/contract.ts';
import {
  type AdmitsLoopback,
  validateAddress,
  validateCanonicalAddress,
  validateEndpointAddress,
} from './addresses.ts';
import { duplicate, invalid, invalidEach, notSupported, required, tooMany } from './field-errors.ts';
import { dns1123Label, dns1123Subdomain, labelValue, qualifiedName } from './names.ts';
import { validateLabels } from './object-meta.ts';

const ADDRESS_TYPES = ['FQDN', 'IPv4', 'IPv6'] as const;
const PROTOCOLS = ['SCTP', 'TCP', 'UDP'] as const;
const MAX = { topology: 16, addresses: 100, ports: 20_000, endpoints: 1000, hints: 8 } as const;

/** What is wrong with an EndpointSlice. */
export function validateEndpointSlice(
  slice: EndpointSlice,
  live: EndpointSlice | undefined,
  admits: AdmitsLoopback | undefined,
): FieldCause[] {
  const causes = [...validateAddressType(slice.addressType), ...validatePorts(slice.ports ?? [])];
  const endpoints = validateEndpoints(slice.endpoints ?? [], { type: slice.addressType, admits });
  // What an older server accepted may stay as it is.
  const unchanged = live !== undefined && endpoints.length > 0 && sameValue(live.endpoints, slice.endpoints);
  if (!unchanged) causes.push(...endpoints);
  if (live && live.addressType !== slice.addressType) {
    causes.push(invalid('addressType', slice.addressType, 'field is immutable'));
  }
  return causes;
}

function validateAddressType(type: string | undefined): FieldCause[] {
  if (!type) return [required('addressType')];
  return (ADDRESS_TYPES as readonly string[]).includes(type) ? [] : [notSupported('addressType', type, ADDRESS_TYPES)];
}

function validatePorts(ports: readonly EndpointSlicePort[]): FieldCause[] {
  if (ports.length > MAX.ports) return [tooMany('ports', ports.length, MAX.ports)];
  const names = new Set<string>();
  return ports.flatMap(({ name = '', protocol, appProtocol }, i) => {
    const path = `ports[${i}]`;
    const causes = name === '' ? [] : invalidEach(`${path}.name`, name, dns1123Label(name));
    if (names.has(name)) causes.push(duplicate(`${path}.name`, name));
    names.add(name);
    if (protocol === undefined) causes.push(required(`${path}.protocol`));
    else if (!(PROTOCOLS as readonly string[]).includes(protocol)) {
      causes.push(notSupported(`${path}.protocol`, protocol, PROTOCOLS));
    }
    if (appProtocol !== undefined)
      causes.push(...invalidEach(`${path}.appProtocol`, appProtocol, qualifiedName(appProtocol)));
    return causes;
  });
}

/** How the addresses of a slice are judged. */
interface AddressRules {
  readonly type: string;
  readonly admits: AdmitsLoopback | undefined;
}

function validateEndpoints(endpoints: readonly Endpoint[], rules: AddressRules): FieldCause[] {
  if (endpoints.length > MAX.endpoints) return [tooMany('endpoints', endpoints.length, MAX.endpoints)];
  return endpoints.flatMap((endpoint, i) => validateEndpoint(endpoint, rules, `endpoints[${i}]`));
}

function validateEndpoint(endpoint: Endpoint, rules: AddressRules, path: string): FieldCause[] {
  const { addresses = [], nodeName, deprecatedTopology: topology, hostname, hints } = endpoint;
  const at = `${path}.addresses`;
  const causes: FieldCause[] = [];
  if (addresses.length === 0) causes.push(required(at, 'must contain at least 1 address'));
  else if (addresses.length > MAX.addresses) causes.push(tooMany(at, addresses.length, MAX.addresses));
  addresses.forEach((address, i) => {
    causes.push(...validateByType(address, rules, { at, path: `${at}[${i}]` }));
  });
  if (nodeName !== undefined) causes.push(...invalidEach(`${path}.nodeName`, nodeName, dns1123Subdomain(nodeName)));
  const count = Object.keys(topology ?? {}).length;
  if (count > MAX.topology) causes.push(tooMany(`${path}.deprecatedTopology`, count, MAX.topology));
  causes.push(...validateLabels(topology, `${path}.deprecatedTopology`));
  if (hostname !== undefined) causes.push(...invalidEach(`${path}.hostname`, hostname, dns1123Label(hostname)));
  return hints === undefined ? causes : [...causes, ...validateHints(hints, `${path}.hints`)];
}

function validateByType(
  address: string,
  { type, admits }: AddressRules,
  { at, path }: { readonly at: string; readonly path: string },
): FieldCause[] {
  if (type === 'FQDN') return validateDomainName(address, path);
  if (type !== 'IPv4' && type !== 'IPv6') return [];
  const causes = type === 'IPv4' ? validateAddress(address, path) : validateCanonicalAddress(address, path);
  if (causes.length > 0) return causes;
  if (familyOf(address) !== type) causes.push(invalid(at, address, `must be an ${type} address`));
  return [...causes, ...validateEndpointAddress(address, path, admits)];
}

function validateDomainName(name: string, path: string): FieldCause[] {
  if (name === '') return [required(path)];
  const plain = name.endsWith('.') ? name.slice(0, -1) : name;
  const messages = dns1123Subdomain(plain);
  if (messages.length > 0) return [invalid(path, plain, messages.join(','))];
  if (!plain.includes('.'))
    return [invalid(path, plain, 'should be a domain with at least two segments separated by dots')];
  return plain.split('.').flatMap((label) => {
    const wrong = dns1123Label(label);
    return wrong.length > 0 ? [invalid(path, label, wrong.join(','))] : [];
  });
}

function validateHints({ forZones = [], forNodes = [] }: EndpointHints, path: string): FieldCause[] {
  const zones = validateHintList(forZones, `${path}.forZones`, labelValue);
  return [...zones, ...validateHintList(forNodes, `${path}.forNodes`, dns1123Subdomain)];
}

function validateHintList(
  hints: readonly { readonly name: string }[],
  path: string,
  rule: (name: string) => readonly string[],
): FieldCause[] {
  if (hints.length > MAX.hints) return [tooMany(path, hints.length, MAX.hints)];
  const seen = new Set<string>();
  return hints.flatMap(({ name }, i) => {
    const at = `${path}[${i}].name`;
    const causes = seen.has(name) ? [duplicate(at, name)] : [];
    seen.add(name);
    return [...causes, ...invalidEach(at, name, rule(name))];
  });
}
