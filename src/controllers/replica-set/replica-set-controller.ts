import type { Pod, ReplicaSet } from '../../kube/generated/types.ts';
import { controllerOf, controllerReferenceTo } from '../../kube/owner-references.ts';
import { keyOf, resources } from '../../kube/resources.ts';
import type { ControllerContext } from '../loop/controller-context.ts';
import { ControllerLoop } from '../loop/controller-loop.ts';
import { buildPodFromTemplate } from '../pods/build-pod.ts';
import { PodControl } from '../pods/pod-control.ts';
import { isPodActive } from '../pods/pod-facts.ts';
import { slowStart } from '../pods/slow-start.ts';
import { buildReplicaSetStatus, planReplicas, type ReplicaSetPlan } from './plan-replica-set.ts';

/** Keeps as many pods as each ReplicaSet asks for. */
export function startReplicaSetController(context: ControllerContext): Disposable {
  return new ReplicaSetController(context).loop;
}

class ReplicaSetController {
  readonly loop: ControllerLoop;
  readonly #context: ControllerContext;
  readonly #pods: PodControl<ReplicaSet>;

  constructor(context: ControllerContext) {
    this.#context = context;
    const { informers } = context;
    const loop = new ControllerLoop(context, {
      name: 'replicaset',
      reconcile: (key) => this.#reconcile(key),
    });
    this.loop = loop;
    this.#pods = new PodControl(context, { loop, type: resources.replicaSets });
    loop
      .watch(informers.for(resources.replicaSets), (set) => [keyOf(set)])
      .watch(informers.for(resources.pods), (pod) => this.#pods.ownersOf(pod, ({ spec }) => spec?.selector));
  }

  async #reconcile(key: string): Promise<void> {
    const { informers, clock } = this.#context;
    const set = informers.for(resources.replicaSets).get(key);
    if (set === undefined) return this.loop.fence.forget(key);
    const pods = await this.loop.timedWrite(key, () => this.#pods.claim(set, set.spec?.selector));
    const plan = planReplicas(set, pods, (pod) => this.#neighbours(set, pod));
    const failure = await this.#carryOut(set, plan);
    const input = { pods, failure, creating: plan.create > 0, now: clock.now() };
    const { status, changesIn } = this.loop.timed(key, () => buildReplicaSetStatus(set, input));
    if (changesIn !== undefined) this.loop.enqueueAfter(key, changesIn);
    await this.loop.writeStatus(resources.replicaSets, set, status);
    if (failure !== undefined) throw failure;
  }

  // Resolves with the first failure.
  async #carryOut(set: ReplicaSet, { create, remove }: ReplicaSetPlan): Promise<unknown> {
    if (create > 0) {
      const { namespace = '' } = set.metadata ?? {};
      const owner = controllerReferenceTo(resources.replicaSets, set);
      const pod = buildPodFromTemplate({ template: set.spec?.template ?? {}, namespace, owner });
      const { failure } = await slowStart(create, async () => void (await this.#pods.create(set, pod)));
      return failure;
    }
    const results = await Promise.allSettled(remove.map((pod) => this.#pods.delete(set, pod)));
    return results.find((result) => result.status === 'rejected')?.reason;
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
