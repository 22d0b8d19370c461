import type { ControllerRevision, LabelSelector, PodTemplateSpec } from '../../kube/generated/types.ts';
import { controllerOf, controllerReferenceTo, isControlledBy } from '../../kube/owner-references.ts';
import { type KubeObject, keyOf, type ResourceType, resources } from '../../kube/resources.ts';
import { isSemanticallyEqual } from '../../kube/semantic-equality.ts';
import { isReason } from '../../kube/status.ts';
import { fnv1a, hashTemplate, stableText } from '../deployment/hash-template.ts';
import type { ControllerContext } from '../loop/controller-context.ts';
import type { ControllerLoop } from '../loop/controller-loop.ts';

export const REVISION_HASH = 'controller-revision-hash';

/** The part of a StatefulSet or DaemonSet that revisions are made of. */
export interface Revisioned extends KubeObject {
  readonly spec?:
    | {
        readonly template: PodTemplateSpec;
        readonly selector?: LabelSelector | undefined;
        readonly revisionHistoryLimit?: number | undefined;
      }
    | undefined;
  readonly status?: { readonly collisionCount?: number | undefined } | undefined;
}

/** Keeps the history of the templates of StatefulSets or DaemonSets, as `kubectl rollout history` and `undo` read it. */
export class ControllerRevisions<T extends Revisioned> {
  readonly #context: ControllerContext;
  readonly #loop: ControllerLoop;
  readonly #type: ResourceType<T>;

  constructor(
    context: ControllerContext,
    { loop, type }: { readonly loop: ControllerLoop; readonly type: ResourceType<T> },
  ) {
    this.#context = context;
    this.#loop = loop;
    this.#type = type;
  }

  /** Key of the object that a revision belongs to; none when it is of another type. */
  ownersOf(revision: ControllerRevision): readonly string[] {
    const owner = controllerOf(revision);
    return owner?.kind === this.#type.kind ? [`${revision.metadata?.namespace}/${owner.name}`] : [];
  }

  /** The owner's revisions, oldest first. */
  of(owner: T): readonly ControllerRevision[] {
    const all = this.#context.informers.for(resources.controllerRevisions).list();
    return all.filter((revision) => isControlledBy(revision, owner)).sort((a, b) => a.revision - b.revision);
  }

  /** The revision of the owner's present template: an older one that says the same becomes the newest, else a new one is made. */
  async current(owner: T): Promise<ControllerRevision> {
    const revisions = this.of(owner);
    const wanted = buildRevision(this.#type, owner, (revisions.at(-1)?.revision ?? 0) + 1);
    const equal = revisions.findLast(({ data }) => isSemanticallyEqual(data, wanted.data));
    if (equal !== undefined && equal === revisions.at(-1)) return equal;
    const { client } = this.#context;
    if (equal === undefined) return this.#expect(owner, await this.#create(owner, wanted));
    return this.#expect(
      owner,
      await client.update(resources.controllerRevisions, { ...equal, revision: wanted.revision }),
    );
  }

  /** Deletes the oldest revisions beyond revisionHistoryLimit; those of `live` names stay. */
  async prune(owner: T, live: ReadonlySet<string | undefined>): Promise<void> {
    const limit = owner.spec?.revisionHistoryLimit ?? 10;
    const unused = this.of(owner).filter(({ metadata }) => !live.has(metadata?.name));
    for (const revision of unused.slice(0, Math.max(0, unused.length - limit))) {
      const { namespace, name = '', uid } = revision.metadata ?? {};
      await this.#context.client.delete(resources.controllerRevisions, { namespace, name }, { uid });
      this.#loop.fence.expectDeleted(
        keyOf(owner),
        this.#context.informers.for(resources.controllerRevisions),
        revision,
      );
    }
  }

  async #create(owner: T, wanted: ControllerRevision): Promise<ControllerRevision> {
    const { client } = this.#context;
    try {
      return await client.create(resources.controllerRevisions, wanted);
    } catch (error) {
      if (!isReason(error, 'AlreadyExists')) throw error;
      const { namespace, name = '' } = wanted.metadata ?? {};
      const taken = await client.get(resources.controllerRevisions, { namespace, name });
      if (isControlledBy(taken, owner) && isSemanticallyEqual(taken.data, wanted.data)) return taken;
      // Somebody else has the name: another suffix, the same content.
      const suffix = hashTemplate(owner.spec?.template ?? {}, fnv1a(stableText(wanted.metadata)));
      const renamed = { ...wanted.metadata, name: `${owner.metadata?.name}-${suffix}` };
      return client.create(resources.controllerRevisions, { ...wanted, metadata: renamed });
    }
  }

  #expect(owner: T, written: ControllerRevision): ControllerRevision {
    this.#loop.fence.expectWritten(keyOf(owner), this.#context.informers.for(resources.controllerRevisions), written);
    return written;
  }
}

function buildRevision<T extends Revisioned>(type: ResourceType<T>, owner: T, revision: number): ControllerRevision {
  const { name = '', namespace } = owner.metadata ?? {};
  const template = owner.spec?.template ?? {};
  const hash = hashTemplate(template, owner.status?.collisionCount);
  const { 'kubectl.kubernetes.io/last-applied-configuration': _applied, ...annotations } =
    owner.metadata?.annotations ?? {};
  return {
    metadata: {
      name: `${name}-${hash}`,
      namespace,
      labels: { ...template.metadata?.labels, 'controller.kubernetes.io/hash': hash },
      annotations,
      ownerReferences: [controllerReferenceTo(type, owner)],
    },
    data: { spec: { template: { ...template, $patch: 'replace' } } } as ControllerRevision['data'],
    revision,
  };
}

/** The template that a revision keeps. */
export function templateOf({ data }: ControllerRevision): PodTemplateSpec {
  const { template } = (
    data as unknown as { readonly spec: { readonly template: PodTemplateSpec & { readonly $patch?: string } } }
  ).spec;
  const { $patch: _directive, ...rest } = template;
  return rest;
}
