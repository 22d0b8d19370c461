import type {
  ConfigMap,
  DownwardAPIVolumeFile,
  KeyToPath,
  Pod,
  Secret,
  ServiceAccountTokenProjection,
  Volume,
  VolumeProjection,
} from '../../kube/generated/types.ts';
import type { PodObjects } from '../environment/build-environment.ts';
import { fieldValue, type PodFacts } from '../environment/field-value.ts';
import { type NodeResources, resourceValue } from '../environment/resource-value.ts';

/** One file of a volume, its path relative to the volume. */
export interface VolumeFile {
  readonly path: string;
  readonly mode: number;
  readonly content: Buffer | { readonly token: ServiceAccountTokenProjection };
}

export interface VolumeFilesOptions {
  readonly pod: Pod;
  readonly facts: PodFacts;
  readonly node: NodeResources;
  readonly objects: PodObjects;
}

/** A volume that cannot be set up yet: the pod waits, with a FailedMount event. */
export class VolumeError extends Error {}

const DEFAULT_MODE = 0o644;

/**
 * The files of a configMap, secret, downwardAPI or projected volume; undefined for the kinds that are folders (emptyDir,
 * hostPath). Throws VolumeError with the kubelet's text for an object that is missing or a kind that is not served here.
 */
export function volumeFiles(volume: Volume, options: VolumeFilesOptions): readonly VolumeFile[] | undefined {
  const { configMap, secret, downwardAPI, projected } = volume;
  if (volume.emptyDir || volume.hostPath) return undefined;
  if (configMap) return configMapFiles(configMap, configMap.defaultMode ?? DEFAULT_MODE, options);
  if (secret) return secretFiles({ ...secret, name: secret.secretName }, secret.defaultMode ?? DEFAULT_MODE, options);
  if (downwardAPI) return downwardFiles(downwardAPI.items, downwardAPI.defaultMode ?? DEFAULT_MODE, options);
  if (projected) {
    const mode = projected.defaultMode ?? DEFAULT_MODE;
    return (projected.sources ?? []).flatMap((source) => projectedFiles(source, mode, options));
  }
  const kind = Object.keys(volume).find((key) => key !== 'name');
  if (kind === undefined) return undefined;
  throw new VolumeError(
    `volume "${volume.name}" of kind ${kind} is not served here; use emptyDir, hostPath, configMap, secret, downwardAPI or projected`,
  );
}

function projectedFiles(source: VolumeProjection, mode: number, options: VolumeFilesOptions): readonly VolumeFile[] {
  if (source.configMap) return configMapFiles(source.configMap, mode, options);
  if (source.secret) return secretFiles(source.secret, mode, options);
  if (source.downwardAPI) return downwardFiles(source.downwardAPI.items, mode, options);
  const token = source.serviceAccountToken;
  if (token) return [{ path: token.path, mode, content: { token } }];
  throw new VolumeError(`projected source ${Object.keys(source).join()} is not served here`);
}

interface ObjectSource {
  readonly name?: string | undefined;
  readonly items?: readonly KeyToPath[] | undefined;
  readonly optional?: boolean | undefined;
}

function configMapFiles(source: ObjectSource, mode: number, options: VolumeFilesOptions): readonly VolumeFile[] {
  const object = options.objects.configMap(`${options.pod.metadata?.namespace}/${source.name}`);
  if (object === undefined && source.optional !== true) throw new VolumeError(`configmap "${source.name}" not found`);
  return chosenFiles(configMapData(object), source, mode);
}

function secretFiles(source: ObjectSource, mode: number, options: VolumeFilesOptions): readonly VolumeFile[] {
  const object = options.objects.secret(`${options.pod.metadata?.namespace}/${source.name}`);
  if (object === undefined && source.optional !== true) throw new VolumeError(`secret "${source.name}" not found`);
  return chosenFiles(secretData(object), source, mode);
}

function configMapData(object: ConfigMap | undefined): Map<string, Buffer> {
  const text = Object.entries(object?.data ?? {}).map(([key, value]) => [key, Buffer.from(value)] as const);
  const binary = Object.entries(object?.binaryData ?? {}).map(
    ([key, value]) => [key, Buffer.from(value, 'base64')] as const,
  );
  return new Map([...text, ...binary]);
}

function secretData(object: Secret | undefined): Map<string, Buffer> {
  return new Map(Object.entries(object?.data ?? {}).map(([key, value]) => [key, Buffer.from(value, 'base64')]));
}

function chosenFiles(data: ReadonlyMap<string, Buffer>, source: ObjectSource, mode: number): readonly VolumeFile[] {
  if (source.items === undefined) return [...data].map(([path, content]) => ({ path, mode, content }));
  return source.items.flatMap((item) => {
    const content = data.get(item.key);
    if (content !== undefined) return [{ path: item.path, mode: item.mode ?? mode, content }];
    if (source.optional === true) return [];
    throw new VolumeError(`references non-existent config key: ${item.key}`);
  });
}

function downwardFiles(
  items: readonly DownwardAPIVolumeFile[] = [],
  mode: number,
  options: VolumeFilesOptions,
): readonly VolumeFile[] {
  return items.map((item) => {
    const content = Buffer.from(downwardValue(item, options));
    return { path: item.path, mode: item.mode ?? mode, content };
  });
}

function downwardValue({ fieldRef, resourceFieldRef }: DownwardAPIVolumeFile, options: VolumeFilesOptions): string {
  if (fieldRef) {
    const value = fieldValue(options.pod, fieldRef.fieldPath, options.facts);
    if (value !== undefined) return value;
    throw new VolumeError(`unsupported fieldPath: ${fieldRef.fieldPath}`);
  }
  const name = resourceFieldRef?.containerName;
  const container = [...(options.pod.spec?.containers ?? []), ...(options.pod.spec?.initContainers ?? [])].find(
    (each) => each.name === name,
  );
  const value = container && resourceFieldRef && resourceValue(container, resourceFieldRef, options.node);
  if (value !== undefined) return value;
  throw new VolumeError(`unsupported container resource : ${resourceFieldRef?.resource}`);
}
