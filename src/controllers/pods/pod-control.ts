import type { LabelSelector, Pod } from '../../kube/generated/types.ts';
import { matchesLabelSelector } from '../../kube/label-selector.ts';
import { controllerOf } from '../../kube/owner-references.ts';
import { type KubeObject, keyOf, type ResourceType, resources } from '../../kube/resources.ts';
import { isReason } from '../../kube/status.ts';
import type { ControllerContext } from '../loop/controller-context.ts';
import type { ControllerLoop } from '../loop/controller-loop.ts';
import { orphansOf } from '../loop/shared-indexes.ts';
import { carryOutClaim, sortClaims } from './claim-objects.ts';

/** What a controller says of the pods that it creates and deletes. */
export interface PodControlTexts {
  readonly created: (pod: string) => string;
  readonly deleted: (pod: string) => string;
}

const TEXTS: PodControlTexts = { created: (pod) => `Created pod: ${pod}`, deleted: (pod) => `Deleted pod: ${pod}` };

/** Owns pods on behalf of one controller: claims, creates and deletes them, tells of it, and makes the fence wait for it. */
export class PodControl<T extends KubeObject> {
  readonly #context: ControllerContext;
  readonly #loop: ControllerLoop;
  readonly #type: ResourceType<T>;
  readonly #texts: (owner: T) => PodControlTexts;

  constructor(
    context: ControllerContext,
    {
      loop,
      type,
      texts = () => TEXTS,
    }: {
      readonly loop: ControllerLoop;
      readonly type: ResourceType<T>;
      readonly texts?: (owner: T) => PodControlTexts;
    },
  ) {
    this.#context = context;
    this.#loop = loop;
    this.#type = type;
    this.#texts = texts;
  }

  /** The owner's pods: adopts orphans that the selector matches, releases pods that it no longer matches. */
  async claim(owner: T, selector: LabelSelector | undefined): Promise<readonly Pod[]> {
    const { client, indexes, informers } = this.#context;
    const { uid = '', namespace } = owner.metadata ?? {};
    const { podsByController } = indexes;
    const claim = sortClaims(owner, selector, [
      ...podsByController.get(uid),
      ...podsByController.get(orphansOf(namespace)),
    ]);
    const pods = await carryOutClaim({ client, type: resources.pods, ownerType: this.#type, owner }, claim);
    if (claim.orphans.length > 0)
      for (const pod of pods) this.#loop.fence.expectWritten(keyOf(owner), informers.for(resources.pods), pod);
    return pods;
  }

  /** Rejects with what the server says; an event tells of either. */
  async create(owner: T, pod: Pod): Promise<Pod> {
    try {
      const created = await this.#context.client.create(resources.pods, pod);
      this.#loop.fence.expectWritten(keyOf(owner), this.#context.informers.for(resources.pods), created);
      this.#tell(owner, 'Normal', 'SuccessfulCreate', this.#texts(owner).created(created.metadata?.name ?? ''));
      return created;
    } catch (error) {
      this.#tell(owner, 'Warning', 'FailedCreate', `Error creating: ${messageOf(error)}`);
      throw error;
    }
  }

  /** A pod that is gone already counts as deleted. */
  async delete(owner: T, pod: Pod): Promise<void> {
    const { namespace, name = '', uid } = pod.metadata ?? {};
    try {
      await this.#context.client.delete(resources.pods, { namespace, name }, { uid });
    } catch (error) {
      if (!isReason(error, 'NotFound')) {
        this.#tell(owner, 'Warning', 'FailedDelete', `Error deleting: ${messageOf(error)}`);
        throw error;
      }
    }
    this.#loop.fence.expectDeleted(keyOf(owner), this.#context.informers.for(resources.pods), pod);
    this.#tell(owner, 'Normal', 'SuccessfulDelete', this.#texts(owner).deleted(name));
  }

  /** Keys of the owners that a change of the pod concerns: its controller, or all that would adopt it. */
  ownersOf(pod: Pod, selectorOf: (owner: T) => LabelSelector | undefined): readonly string[] {
    const { namespace, labels } = pod.metadata ?? {};
    const controller = controllerOf(pod);
    if (controller !== undefined) return controller.kind === this.#type.kind ? [`${namespace}/${controller.name}`] : [];
    return this.#context.informers
      .for(this.#type)
      .list()
      .filter((owner) => owner.metadata?.namespace === namespace && matchesLabelSelector(selectorOf(owner), labels))
      .map(keyOf);
  }

  #tell(owner: T, type: 'Normal' | 'Warning', reason: string, message: string): void {
    this.#loop.recorder.record(this.#type, owner, { type, reason, message });
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
