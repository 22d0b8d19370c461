import type { Container, ContainerPort, EnvVar, PodSpec, VolumeMount } from '../../kube/generated/types.ts';
import { milliValueOf } from '../../kube/quantity.ts';
import type { FieldCause } from '../schema/contract.ts';
import { duplicate, forbidden, invalid, invalidEach, notFoundValue, notSupported, required } from './field-errors.ts';
import { dns1123Label, envVarName, portName, portNumber } from './names.ts';
import { validateLastingProbe, validateProbe } from './pod-probes.ts';

const PULL_POLICIES = ['Always', 'IfNotPresent', 'Never'];
const MESSAGE_POLICIES = ['FallbackToLogsOnError', 'File'];
const PROTOCOLS = ['SCTP', 'TCP', 'UDP'];

interface Surroundings {
  readonly volumes: ReadonlySet<string>;
  readonly hostNetwork: boolean;
  /** Names that are taken. */
  readonly names: Set<string>;
}

/** What is wrong with the containers of a pod of all three sorts. */
export function validateContainers(spec: PodSpec, path: string): FieldCause[] {
  const { containers = [], initContainers = [], ephemeralContainers = [], volumes = [] } = spec;
  const around: Surroundings = {
    volumes: new Set(volumes.map(({ name }) => name)),
    hostNetwork: spec.hostNetwork === true,
    names: new Set(),
  };
  const causes = containers.length === 0 ? [required(`${path}.containers`)] : [];
  containers.forEach((container, i) => {
    const at = `${path}.containers[${i}]`;
    causes.push(...validateContainer(container, at, around), ...validateProbes(container, at));
    causes.push(...takeName(container, at, around));
  });
  causes.push(...validateHostPorts(containers, `${path}.containers`));
  initContainers.forEach((container, i) => {
    const at = `${path}.initContainers[${i}]`;
    causes.push(...validateContainer(container, at, around), ...validateInitContainer(container, at));
    causes.push(...takeName(container, at, around));
  });
  ephemeralContainers.forEach((container, i) => {
    const at = `${path}.ephemeralContainers[${i}]`;
    causes.push(...validateContainer(container, at, around), ...takeName(container, at, around));
    const target = container.targetContainerName;
    const known = [...containers, ...initContainers].some(({ name }) => name === target);
    if (target && !known) causes.push(notFoundValue(`${at}.targetContainerName`, target));
  });
  return causes;
}

function takeName({ name }: Container, path: string, { names }: Surroundings): FieldCause[] {
  if (names.has(name)) return [duplicate(`${path}.name`, name)];
  names.add(name);
  return [];
}

type AnyContainer = Omit<Container, 'livenessProbe' | 'readinessProbe' | 'startupProbe' | 'lifecycle'>;

function validateContainer(container: AnyContainer, path: string, around: Surroundings): FieldCause[] {
  const { name, image = '', imagePullPolicy, terminationMessagePolicy, ports = [], env = [] } = container;
  const causes = name ? invalidEach(`${path}.name`, name, dns1123Label(name)) : [required(`${path}.name`)];
  if (image === '') causes.push(required(`${path}.image`));
  else if (image.trim() !== image)
    causes.push(invalid(`${path}.image`, image, 'must not have leading or trailing whitespace'));
  if (terminationMessagePolicy !== undefined && !MESSAGE_POLICIES.includes(terminationMessagePolicy))
    causes.push(notSupported(`${path}.terminationMessagePolicy`, terminationMessagePolicy, MESSAGE_POLICIES));
  causes.push(...validatePorts(ports, path, around));
  env.forEach((variable, i) => void causes.push(...validateVariable(variable, `${path}.env[${i}]`)));
  causes.push(...validateMounts(container.volumeMounts ?? [], path, around));
  if (imagePullPolicy !== undefined && !PULL_POLICIES.includes(imagePullPolicy))
    causes.push(notSupported(`${path}.imagePullPolicy`, imagePullPolicy, PULL_POLICIES));
  return [...causes, ...validateResources(container, `${path}.resources`)];
}

function validateProbes({ livenessProbe, readinessProbe, startupProbe }: Container, path: string): FieldCause[] {
  return [
    ...validateLastingProbe(livenessProbe, `${path}.livenessProbe`),
    ...validateProbe(readinessProbe, `${path}.readinessProbe`),
    ...validateLastingProbe(startupProbe, `${path}.startupProbe`),
  ];
}

// Only sidecars outlive their start.
function validateInitContainer(container: Container, path: string): FieldCause[] {
  if (container.restartPolicy === 'Always') return validateProbes(container, path);
  const names = ['lifecycle', 'livenessProbe', 'readinessProbe', 'startupProbe'] as const;
  const given = names.filter((name) => container[name] !== undefined);
  return given.map((name) =>
    forbidden(`${path}.${name}`, 'may not be set for init containers without restartPolicy=Always'),
  );
}

function validatePorts(ports: readonly ContainerPort[], path: string, { hostNetwork }: Surroundings): FieldCause[] {
  const names = new Set<string>();
  return ports.flatMap(({ name, containerPort, hostPort = 0, protocol = '' }, i) => {
    const at = `${path}.ports[${i}]`;
    const causes = name ? invalidEach(`${at}.name`, name, portName(name)) : [];
    if (name && causes.length === 0 && names.has(name)) causes.push(duplicate(`${at}.name`, name));
    if (name) names.add(name);
    if (!containerPort) causes.push(required(`${at}.containerPort`));
    else causes.push(...invalidEach(`${at}.containerPort`, containerPort, portNumber(containerPort)));
    if (hostPort !== 0) causes.push(...invalidEach(`${at}.hostPort`, hostPort, portNumber(hostPort)));
    if (hostNetwork && hostPort !== 0 && hostPort !== containerPort)
      causes.push(invalid(`${at}.containerPort`, containerPort, 'must match `hostPort` when `hostNetwork` is true'));
    if (protocol === '') causes.push(required(`${at}.protocol`));
    else if (!PROTOCOLS.includes(protocol)) causes.push(notSupported(`${at}.protocol`, protocol, PROTOCOLS));
    return causes;
  });
}

function validateHostPorts(containers: readonly Container[], path: string): FieldCause[] {
  const taken = new Set<string>();
  return containers.flatMap(({ ports = [] }, i) =>
    ports.flatMap(({ hostPort = 0, hostIP = '', protocol }, j) => {
      const claim = `${hostPort}/${hostIP}/${protocol}`;
      if (hostPort === 0) return [];
      if (taken.has(claim)) return [duplicate(`${path}[${i}].ports[${j}].hostPort`, claim)];
      taken.add(claim);
      return [];
    }),
  );
}

function validateVariable({ name, value, valueFrom }: EnvVar, path: string): FieldCause[] {
  const causes = name ? invalidEach(`${path}.name`, name, envVarName(name)) : [required(`${path}.name`)];
  if (!valueFrom) return causes;
  const sources = Object.values(valueFrom).filter((source) => source !== undefined).length;
  const at = `${path}.valueFrom`;
  if (value) causes.push(invalid(at, '', 'may not be specified when `value` is not empty'));
  else if (sources === 0)
    causes.push(
      invalid(
        at,
        '',
        'must specify one of: `fieldRef`, `resourceFieldRef`, `configMapKeyRef`, `secretKeyRef` or `fileKeyRef`',
      ),
    );
  else if (sources > 1) causes.push(invalid(at, '', 'may not have more than one field specified at a time'));
  return causes;
}

function validateMounts(mounts: readonly VolumeMount[], path: string, { volumes }: Surroundings): FieldCause[] {
  const paths = new Set<string>();
  return mounts.flatMap(({ name, mountPath }, i) => {
    const at = `${path}.volumeMounts[${i}]`;
    const causes: FieldCause[] = [];
    if (!name) causes.push(required(`${at}.name`));
    else if (!volumes.has(name)) causes.push(notFoundValue(`${at}.name`, name));
    if (!mountPath) causes.push(required(`${at}.mountPath`));
    else if (paths.has(mountPath)) causes.push(invalid(`${at}.mountPath`, mountPath, 'must be unique'));
    paths.add(mountPath);
    return causes;
  });
}

function validateResources({ resources }: AnyContainer, path: string): FieldCause[] {
  const { limits = {}, requests = {} } = resources ?? {};
  const negative = (name: 'limits' | 'requests', quantities: Readonly<Record<string, string>>): FieldCause[] =>
    Object.entries(quantities).flatMap(([resource, quantity]) =>
      (milliValueOf(quantity) ?? 0) < 0
        ? [invalid(`${path}.${name}[${resource}]`, quantity, 'must be greater than or equal to 0')]
        : [],
    );
  const above = Object.entries(requests).flatMap(([resource, quantity]) => {
    const limit = limits[resource];
    if (limit === undefined || milliValueOf(quantity)! <= milliValueOf(limit)!) return [];
    return [invalid(`${path}.requests`, quantity, `must be less than or equal to ${resource} limit of ${limit}`)];
  });
  return [...negative('limits', limits), ...negative('requests', requests), ...above];
}
