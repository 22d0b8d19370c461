import type {
  HTTPIngressPath,
  Ingress,
  IngressBackend,
  IngressClass,
  IngressClassParametersReference,
  IngressRule,
  IngressTLS,
  TypedLocalObjectReference,
} from '../../kube/generated/types.ts';
import type { FieldCause } from '../schema/contract.ts';
import { looksLikeAddress, validateAddress } from './addresses.ts';
import { forbidden, invalid, invalidEach, notSupported, required, tooLong } from './field-errors.ts';
import {
  dns1123Label,
  dns1123Subdomain,
  pathSegment,
  portName,
  portNumber,
  regexMessage,
  wildcardDNS1123Subdomain,
} from './names.ts';

const CLASS_ANNOTATION = 'kubernetes.io/ingress.class';
const BAD_SEQUENCES = ['//', '/./', '/../', '%2f', '%2F'];
const BAD_SUFFIXES = ['/..', '/.'];
const PATH_TYPES = ['Exact', 'ImplementationSpecific', 'Prefix'];
const MAX_CONTROLLER = 250;
const HTTP_PATH = "[A-Za-z0-9/\\-._~%!$&'()*+,;=:]+";

/** What is wrong with a new Ingress. */
export function validateIngress(ingress: Ingress): FieldCause[] {
  const causes = validateIngressSpec(ingress);
  const annotation = ingress.metadata?.annotations?.[CLASS_ANNOTATION];
  const name = ingress.spec?.ingressClassName;
  if (annotation !== undefined && name !== undefined && annotation !== name) {
    const detail = 'must match `ingressClassName` when both are specified';
    causes.push(invalid(`annotations.${CLASS_ANNOTATION}`, annotation, detail));
  }
  return causes;
}

/** What is wrong with the spec of an Ingress. */
export function validateIngressSpec({ spec = {} }: Ingress): FieldCause[] {
  const { rules = [], defaultBackend, tls = [], ingressClassName } = spec;
  const causes: FieldCause[] = [];
  if (rules.length === 0 && !defaultBackend) {
    causes.push(invalid('spec', rules, 'either `defaultBackend` or `rules` must be specified'));
  }
  if (defaultBackend) causes.push(...validateBackend(defaultBackend, 'spec.defaultBackend'));
  causes.push(...rules.flatMap((rule, i) => validateRule(rule, `spec.rules[${i}]`)));
  causes.push(...tls.flatMap((entry, i) => validateTLS(entry, `spec.tls[${i}]`)));
  if (ingressClassName !== undefined) {
    causes.push(...invalidEach('spec.ingressClassName', ingressClassName, dns1123Subdomain(ingressClassName)));
  }
  return causes;
}

/** What is wrong with the status of an Ingress. */
export function validateIngressStatus({ status }: Ingress, live: Ingress): FieldCause[] {
  const known = (live.status?.loadBalancer?.ingress ?? []).flatMap(({ ip }) => (ip ? [ip] : []));
  return (status?.loadBalancer?.ingress ?? []).flatMap(({ ip, hostname }, i) => {
    const path = `status.loadBalancer.ingress[${i}]`;
    return [...(ip ? validateAddress(ip, `${path}.ip`, known) : []), ...validateHostname(hostname, `${path}.hostname`)];
  });
}

/** The host name of a load balancer: a DNS name, not an address. */
export function validateHostname(hostname: string | undefined, path: string): FieldCause[] {
  if (!hostname) return [];
  const causes = invalidEach(path, hostname, dns1123Subdomain(hostname));
  if (looksLikeAddress(hostname)) causes.push(invalid(path, hostname, 'must be a DNS name, not an IP address'));
  return causes;
}

function validateHost(host: string, path: string): FieldCause[] {
  return invalidEach(path, host, host.includes('*') ? wildcardDNS1123Subdomain(host) : dns1123Subdomain(host));
}

function validateTLS({ hosts = [], secretName }: IngressTLS, path: string): FieldCause[] {
  const causes = hosts.flatMap((host, i) => validateHost(host, `${path}.hosts[${i}]`));
  return secretName
    ? [...causes, ...invalidEach(`${path}.secretName`, secretName, dns1123Subdomain(secretName))]
    : causes;
}

function validateRule({ host, http }: IngressRule, path: string): FieldCause[] {
  const causes: FieldCause[] = [];
  if (host) {
    if (looksLikeAddress(host)) causes.push(invalid(`${path}.host`, host, 'must be a DNS name, not an IP address'));
    causes.push(...validateHost(host, `${path}.host`));
  }
  if (!http) return causes;
  if (http.paths.length === 0) causes.push(required(`${path}.http.paths`));
  return [...causes, ...http.paths.flatMap((entry, i) => validatePath(entry, `${path}.http.paths[${i}]`))];
}

function validatePath({ path = '', pathType, backend }: HTTPIngressPath, at: string): FieldCause[] {
  if (!pathType) return [required(`${at}.pathType`, 'pathType must be specified')];
  const causes: FieldCause[] = [];
  const absolute = path.startsWith('/');
  if (pathType === 'Exact' || pathType === 'Prefix') {
    if (!absolute) causes.push(invalid(`${at}.path`, path, 'must be an absolute path'));
    for (const sequence of BAD_SEQUENCES) {
      if (path.includes(sequence)) causes.push(invalid(`${at}.path`, path, `must not contain '${sequence}'`));
    }
    for (const suffix of BAD_SUFFIXES) {
      if (path.endsWith(suffix)) causes.push(invalid(`${at}.path`, path, `cannot end with '${suffix}'`));
    }
  } else if (pathType !== 'ImplementationSpecific') {
    causes.push(notSupported(`${at}.pathType`, pathType, PATH_TYPES));
  } else if (path !== '' && !absolute) causes.push(invalid(`${at}.path`, path, 'must be an absolute path'));
  return [...causes, ...validateBackend(backend ?? {}, `${at}.backend`)];
}

function validateBackend({ resource, service }: IngressBackend, path: string): FieldCause[] {
  if (resource && service) return [invalid(path, '', 'cannot set both resource and service backends')];
  if (resource) return validateReference(resource, `${path}.resource`);
  if (!service) return [invalid(path, '', 'resource or service backend is required')];
  const causes: FieldCause[] = [];
  if (!service.name) causes.push(required(`${path}.service.name`));
  else causes.push(...invalidEach(`${path}.service.name`, service.name, dns1123Label(service.name)));
  const { name, number } = service.port ?? {};
  if (name && number) causes.push(invalid(path, '', 'cannot set both port name & port number'));
  else if (name) causes.push(...invalidEach(`${path}.service.port.name`, name, portName(name)));
  else if (number) causes.push(...invalidEach(`${path}.service.port.number`, number, portNumber(number)));
  else causes.push(required(path, 'port name or number is required'));
  return causes;
}

function validateReference({ apiGroup, kind, name }: TypedLocalObjectReference, path: string): FieldCause[] {
  const causes = apiGroup === undefined ? [] : invalidEach(`${path}.apiGroup`, apiGroup, dns1123Subdomain(apiGroup));
  for (const [field, value] of [
    ['kind', kind],
    ['name', name],
  ] as const) {
    if (!value) causes.push(required(`${path}.${field}`));
    else causes.push(...invalidEach(`${path}.${field}`, value, pathSegment(value)));
  }
  return causes;
}

/** What is wrong with an IngressClass, and with what an update changes in it. */
export function validateIngressClass({ spec = {} }: IngressClass, live?: IngressClass): FieldCause[] {
  const { controller = '', parameters } = spec;
  const causes = validateController(controller, 'spec.controller');
  if (live && live.spec?.controller !== spec.controller) {
    causes.unshift(invalid('spec.controller', controller, 'field is immutable'));
  }
  return parameters ? [...causes, ...validateParameters(parameters, 'spec.parameters')] : causes;
}

function validateController(controller: string, path: string): FieldCause[] {
  const causes = Buffer.byteLength(controller) > MAX_CONTROLLER ? [tooLong(path, MAX_CONTROLLER)] : [];
  if (controller === '') return [...causes, required(path)];
  const slash = controller.indexOf('/');
  if (slash <= 0 || slash === controller.length - 1) {
    return [...causes, invalid(path, controller, 'must be a domain-prefixed path (such as "acme.io/foo")')];
  }
  const [host, rest] = [controller.slice(0, slash), controller.slice(slash + 1)];
  causes.push(...invalidEach(path, host, dns1123Subdomain(host)));
  if (!new RegExp(`^${HTTP_PATH}$`).test(rest))
    causes.push(invalid(path, rest, regexMessage('Invalid path', HTTP_PATH)));
  return causes;
}

function validateParameters(reference: IngressClassParametersReference, path: string): FieldCause[] {
  const causes = validateReference(reference, path);
  const { scope, namespace } = reference;
  if (scope === undefined) return [...causes, required(`${path}.scope`)];
  if (scope !== 'Cluster' && scope !== 'Namespace') {
    return [...causes, notSupported(`${path}.scope`, scope, ['Cluster', 'Namespace'])];
  }
  if (scope === 'Cluster') {
    return namespace === undefined
      ? causes
      : [...causes, forbidden(`${path}.namespace`, "`parameters.scope` is set to 'Cluster'")];
  }
  if (namespace === undefined)
    return [...causes, required(`${path}.namespace`, "`parameters.scope` is set to 'Namespace'")];
  return [...causes, ...invalidEach(`${path}.namespace`, namespace, dns1123Label(namespace))];
}
