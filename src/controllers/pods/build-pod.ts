import type { ObjectMeta, OwnerReference, Pod, PodTemplateSpec } from '../../kube/generated/types.ts';

export interface BuildPodOptions {
  readonly template: PodTemplateSpec;
  readonly namespace: string;
  readonly owner: OwnerReference;
  /** A fixed name, or none to let the server add a suffix to the owner's name. */
  readonly name?: string | undefined;
  readonly labels?: Readonly<Record<string, string>>;
  readonly annotations?: Readonly<Record<string, string>>;
  readonly finalizers?: readonly string[];
}

/** The pod that a controller creates from its template. */
export function buildPodFromTemplate(options: BuildPodOptions): Pod {
  const { template, namespace, owner, name } = options;
  const annotations = { ...template.metadata?.annotations, ...options.annotations };
  const finalizers = [...(template.metadata?.finalizers ?? []), ...(options.finalizers ?? [])];
  const metadata: ObjectMeta = {
    ...(name === undefined ? { generateName: generateNameFor(owner.name) } : { name }),
    namespace,
    labels: { ...template.metadata?.labels, ...options.labels },
    ...(Object.keys(annotations).length > 0 ? { annotations } : {}),
    ...(finalizers.length > 0 ? { finalizers } : {}),
    ownerReferences: [owner],
  };
  return { apiVersion: 'v1', kind: 'Pod', metadata, spec: template.spec ?? { containers: [] } };
}

/** `NAME-`, or `NAME` when the dash would make the prefix too long. */
export function generateNameFor(owner: string): string {
  return owner.length < 253 ? `${owner}-` : owner;
}
