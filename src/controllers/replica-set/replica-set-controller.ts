import type { Pod, ReplicaSet } from '../../kube/generated/types.ts';
import { matchesLabelSelector } from '../../kube/label-selector.ts';
import { controllerOf, controllerReferenceTo } from '../../kube/owner-references.ts';
import { type KubeObject, keyOf, resources } from '../../kube/resources.ts';
import { isSemanticallyEqual } from '../../kube/semantic-equality.ts';
import { isReason } from '../../kube/status.ts';
import type { ControllerContext } from '../loop/controller-context.ts';
import { ControllerLoop } from '../loop/controller-loop.ts';
import { orphansOf } from '../loop/shared-indexes.ts';
import { buildPodFromTemplate } from '../pods/build-pod.ts';
import { carryOutClaim, sortClaims } from '../pods/claim-objects.ts';
import { isPodActive } from '../pods/pod-facts.ts';
import { slowStart } from '../pods/slow-start.ts';
import { buildReplicaSetStatus, planReplicas } from './plan-replica-set.ts';

/** Keeps as many pods as each ReplicaSet asks for. */
export function startReplicaSetController(context: ControllerContext): Disposable {
  return new ReplicaSetController(context).loop;
}

class ReplicaSetController {
  readonly loop: ControllerLoop;
  readonly #context: ControllerContext;

  constructor(context: ControllerContext) {
    this.#context = context;
    const { informers } = context;
    const sets = informers.for(resources.replicaSets);
    this.loop = new ControllerLoop(context, {
      name: 'replicaset',
      reconcile: (key) => this.#reconcile(key),
    })
      .watch(sets, (set) => [keyOf(set)])
      .watch(informers.for(resources.pods), (pod) => ownersOf(pod, () => sets.list()));
  }

  async #reconcile(key: string): Promise<void> {
    const { informers, clock } = this.#context;
    const set = informers.for(resources.replicaSets).get(key);
    if (set === undefined) return this.loop.fence.forget(key);
    const pods = await this.#claimPods(set);
    const plan = planReplicas(set, pods, (pod) => this.#neighbours(set, pod));
    const creating = plan.create > 0;
    const failure = creating ? await this.#createPods(set, plan.create) : await this.#deletePods(set, plan.remove);
    const now = clock.now();
    const { status, changesIn } = buildReplicaSetStatus(set, { pods, failure, creating, now });
    if (changesIn !== undefined) this.loop.enqueueAfter(key, changesIn);
    if (!isSemanticallyEqual(status, set.status)) {
      const written = await this.#context.client.update(
        resources.replicaSets,
        { ...set, status },
        { subresource: 'status' },
      );
      this.loop.fence.expectWritten(key, informers.for(resources.replicaSets), written);
    }
    if (failure !== undefined) throw failure;
  }

  async #claimPods(set: ReplicaSet): Promise<readonly Pod[]> {
    const { client, indexes, informers } = this.#context;
    const { uid = '', namespace } = set.metadata ?? {};
    const candidates = [...indexes.podsByController.get(uid), ...indexes.podsByController.get(orphansOf(namespace))];
    const claim = sortClaims(set, set.spec?.selector, candidates);
    const writer = { client, type: resources.pods, ownerType: resources.replicaSets, owner: set };
    const pods = await carryOutClaim(writer, claim);
    if (claim.orphans.length > 0)
      for (const pod of pods) this.loop.fence.expectWritten(keyOf(set), informers.for(resources.pods), pod);
    return pods;
  }

  async #createPods(set: ReplicaSet, count: number): Promise<unknown> {
    const { client, informers } = this.#context;
    const { namespace = '' } = set.metadata ?? {};
    const owner = controllerReferenceTo(resources.replicaSets, set);
    const pod = buildPodFromTemplate({ template: set.spec?.template ?? {}, namespace, owner });
    const { failure } = await slowStart(count, async () => {
      const created = await client.create(resources.pods, pod);
      this.loop.fence.expectWritten(keyOf(set), informers.for(resources.pods), created);
      this.#tell(set, 'Normal', 'SuccessfulCreate', `Created pod: ${created.metadata?.name}`);
    });
    if (failure !== undefined) this.#tell(set, 'Warning', 'FailedCreate', `Error creating: ${messageOf(failure)}`);
    return failure;
  }

  async #deletePods(set: ReplicaSet, pods: readonly Pod[]): Promise<unknown> {
    const { client, informers } = this.#context;
    const results = await Promise.allSettled(
      pods.map(async (pod) => {
        const { namespace, name = '', uid } = pod.metadata ?? {};
        try {
          await client.delete(resources.pods, { namespace, name }, { uid });
        } catch (error) {
          if (!isReason(error, 'NotFound')) throw error;
        }
        this.loop.fence.expectDeleted(keyOf(set), informers.for(resources.pods), pod);
        this.#tell(set, 'Normal', 'SuccessfulDelete', `Deleted pod: ${name}`);
      }),
    );
    const failure = results.find((result) => result.status === 'rejected')?.reason;
    if (failure !== undefined) this.#tell(set, 'Warning', 'FailedDelete', `Error deleting: ${messageOf(failure)}`);
    return failure;
  }

  #tell(set: ReplicaSet, type: 'Normal' | 'Warning', reason: string, message: string): void {
    this.loop.recorder.record(resources.replicaSets, set, { type, reason, message });
  }

  // Related pods are those of all ReplicaSets of the same Deployment.
  #neighbours(set: ReplicaSet, pod: Pod): number {
    const { indexes } = this.#context;
    const owner = controllerOf(set)?.uid;
    const family = owner === undefined ? [set] : indexes.replicaSetsByController.get(owner);
    const related = family.flatMap(({ metadata }) => indexes.podsByController.get(metadata?.uid ?? ''));
    return related.filter((other) => isPodActive(other) && other.spec?.nodeName === pod.spec?.nodeName).length;
  }
}

// A pod concerns its controller; one without may concern every ReplicaSet that selects it.
function ownersOf(pod: Pod, sets: () => readonly ReplicaSet[]): readonly string[] {
  const { namespace } = pod.metadata ?? {};
  const controller = controllerOf(pod);
  if (controller !== undefined) return controller.kind === 'ReplicaSet' ? [`${namespace}/${controller.name}`] : [];
  return sets()
    .filter(
      (set) => set.metadata?.namespace === namespace && matchesLabelSelector(set.spec?.selector, pod.metadata?.labels),
    )
    .map((set: KubeObject) => keyOf(set));
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
