import type {
  ConfigMap,
  Container,
  EnvFromSource,
  EnvVar,
  EphemeralContainer,
  Pod,
  Secret,
  Service,
} from '../../kube/generated/types.ts';
import { expandVariables } from '../container/expand-variables.ts';
import { fieldValue, type PodFacts } from './field-value.ts';
import { type NodeResources, resourceValue } from './resource-value.ts';
import { serviceEnvironment } from './service-environment.ts';

/** The API objects that a pod's environment and volumes may refer to, by `namespace/name`. */
export interface PodObjects {
  configMap(key: string): ConfigMap | undefined;
  secret(key: string): Secret | undefined;
  services(): readonly Service[];
}

export interface EnvironmentOptions {
  readonly pod: Pod;
  readonly container: Container | EphemeralContainer;
  readonly facts: PodFacts;
  readonly node: NodeResources;
  readonly objects: PodObjects;
}

/** A container that cannot be set up from its spec: shows as waiting with reason CreateContainerConfigError. */
export class ContainerConfigError extends Error {}

const CONTAINER_PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

type Variables = Record<string, string>;

/**
 * The environment of a container: PATH and HOME as images set them, Services, envFrom, then env with references resolved
 * and `$(NAME)` expanded by what stands before it. Throws ContainerConfigError with the kubelet's text.
 */
export function buildEnvironment(options: EnvironmentOptions): Readonly<Record<string, string>> {
  const { pod, container, objects } = options;
  const services = serviceEnvironment(objects.services(), {
    namespace: pod.metadata?.namespace ?? '',
    enableServiceLinks: pod.spec?.enableServiceLinks ?? true,
  });
  const declared: Variables = {};
  for (const source of container.envFrom ?? []) Object.assign(declared, fromSource(source, options));
  for (const variable of container.env ?? []) {
    const value = variableValue(variable, { ...services, ...declared }, options);
    if (value !== undefined) declared[variable.name] = value;
  }
  return { PATH: CONTAINER_PATH, HOME: '/root', ...services, ...declared };
}

function fromSource({ prefix = '', configMapRef, secretRef }: EnvFromSource, options: EnvironmentOptions): Variables {
  const { pod, objects } = options;
  const reference = configMapRef ?? secretRef;
  const data = configMapRef
    ? objects.configMap(`${pod.metadata?.namespace}/${configMapRef.name}`)?.data
    : decoded(objects.secret(`${pod.metadata?.namespace}/${secretRef?.name}`));
  const exists = configMapRef
    ? objects.configMap(`${pod.metadata?.namespace}/${configMapRef.name}`) !== undefined
    : data !== undefined;
  if (!exists && reference?.optional !== true) {
    throw new ContainerConfigError(`${configMapRef ? 'configmap' : 'secret'} "${reference?.name}" not found`);
  }
  return Object.fromEntries(Object.entries(data ?? {}).map(([key, value]) => [prefix + key, value]));
}

function variableValue(variable: EnvVar, known: Variables, options: EnvironmentOptions): string | undefined {
  const { fieldRef, resourceFieldRef, configMapKeyRef, secretKeyRef } = variable.valueFrom ?? {};
  if (fieldRef) {
    const value = fieldValue(options.pod, fieldRef.fieldPath, options.facts);
    if (value !== undefined) return value;
    throw new ContainerConfigError(`unsupported fieldPath: ${fieldRef.fieldPath}`);
  }
  if (resourceFieldRef) {
    const name = resourceFieldRef.containerName;
    const container = name ? containerNamed(options.pod, name) : options.container;
    const value = container && resourceValue(container, resourceFieldRef, options.node);
    if (value !== undefined) return value;
    throw new ContainerConfigError(`unsupported container resource : ${resourceFieldRef.resource}`);
  }
  if (configMapKeyRef) return keyValue('ConfigMap', configMapKeyRef, options);
  if (secretKeyRef) return keyValue('Secret', secretKeyRef, options);
  return expandVariables(variable.value ?? '', known);
}

function keyValue(
  kind: 'ConfigMap' | 'Secret',
  {
    name,
    key,
    optional,
  }: { readonly name?: string | undefined; readonly key: string; readonly optional?: boolean | undefined },
  { pod, objects }: EnvironmentOptions,
): string | undefined {
  const namespace = pod.metadata?.namespace ?? '';
  const objectKey = `${namespace}/${name}`;
  const configMap = kind === 'ConfigMap' ? objects.configMap(objectKey) : undefined;
  const secret = kind === 'Secret' ? objects.secret(objectKey) : undefined;
  const value = (configMap?.data ?? decoded(secret))?.[key];
  if (value !== undefined) return value;
  if (optional === true) return undefined;
  if (configMap === undefined && secret === undefined) {
    throw new ContainerConfigError(`${kind.toLowerCase()} "${name}" not found`);
  }
  throw new ContainerConfigError(`couldn't find key ${key} in ${kind} ${objectKey}`);
}

function decoded(secret: Secret | undefined): Variables | undefined {
  if (secret === undefined) return undefined;
  const entries = Object.entries(secret.data ?? {});
  return Object.fromEntries(entries.map(([key, value]) => [key, Buffer.from(value, 'base64').toString('utf8')]));
}

function containerNamed(pod: Pod, name: string): Container | undefined {
  return [...(pod.spec?.containers ?? []), ...(pod.spec?.initContainers ?? [])].find((each) => each.name === name);
}
