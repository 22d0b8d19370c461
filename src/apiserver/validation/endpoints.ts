import type { EndpointAddress, EndpointPort, EndpointSubset, Endpoints } from '../../kube/generated/types.ts';
import { sameValue } from '../machinery/api-object.ts';
import type { FieldCause } from '../schema/contract.ts';
import { type AdmitsLoopback, validateAddress, validateEndpointAddress } from './addresses.ts';
import { invalidEach, notSupported, required } from './field-errors.ts';
import { dns1123Label, dns1123Subdomain, portNumber, qualifiedName } from './names.ts';

const PROTOCOLS = ['SCTP', 'TCP', 'UDP'] as const;

/** What is wrong with Endpoints; subsets that an update leaves alone are not looked at again. */
export function validateEndpoints(
  endpoints: Endpoints,
  live: Endpoints | undefined,
  admits: AdmitsLoopback | undefined,
): FieldCause[] {
  const causes = (endpoints.subsets ?? []).flatMap((subset, i) => validateSubset(subset, `subsets[${i}]`, admits));
  return causes.length > 0 && live && sameValue(live.subsets, endpoints.subsets) ? [] : causes;
}

function validateSubset(
  { addresses = [], notReadyAddresses = [], ports = [] }: EndpointSubset,
  path: string,
  admits: AdmitsLoopback | undefined,
): FieldCause[] {
  const causes: FieldCause[] = [];
  if (addresses.length + notReadyAddresses.length === 0) {
    causes.push(required(path, 'must specify `addresses` or `notReadyAddresses`'));
  }
  const of = (list: readonly EndpointAddress[], name: string): FieldCause[] =>
    list.flatMap((address, i) => validateAddressEntry(address, `${path}.${name}[${i}]`, admits));
  causes.push(...of(addresses, 'addresses'), ...of(notReadyAddresses, 'notReadyAddresses'));
  return [...causes, ...ports.flatMap((port, i) => validatePort(port, ports.length > 1, `${path}.ports[${i}]`))];
}

function validateAddressEntry(
  { ip, hostname, nodeName }: EndpointAddress,
  path: string,
  admits: AdmitsLoopback | undefined,
): FieldCause[] {
  return [
    ...validateAddress(ip, `${path}.ip`),
    ...(hostname ? invalidEach(`${path}.hostname`, hostname, dns1123Label(hostname)) : []),
    ...(nodeName === undefined ? [] : invalidEach(`${path}.nodeName`, nodeName, dns1123Subdomain(nodeName))),
    ...validateEndpointAddress(ip, `${path}.ip`, admits),
  ];
}

function validatePort(
  { name = '', port, protocol, appProtocol }: EndpointPort,
  named: boolean,
  path: string,
): FieldCause[] {
  const causes: FieldCause[] = [];
  if (name === '' && named) causes.push(required(`${path}.name`));
  else if (name !== '') causes.push(...invalidEach(`${path}.name`, name, dns1123Label(name)));
  causes.push(...invalidEach(`${path}.port`, port, portNumber(port)));
  if (!protocol) causes.push(required(`${path}.protocol`));
  else if (!(PROTOCOLS as readonly string[]).includes(protocol)) {
    causes.push(notSupported(`${path}.protocol`, protocol, PROTOCOLS));
  }
  if (appProtocol !== undefined)
    causes.push(...invalidEach(`${path}.appProtocol`, appProtocol, qualifiedName(appProtocol)));
  return causes;
}
