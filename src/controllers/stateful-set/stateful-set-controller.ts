import type { ControllerRevision, StatefulSet } from '../../kube/generated/types.ts';
import { keyOf, resources } from '../../kube/resources.ts';
import { isReason } from '../../kube/status.ts';
import type { ControllerContext } from '../loop/controller-context.ts';
import { ControllerLoop } from '../loop/controller-loop.ts';
import { PodControl } from '../pods/pod-control.ts';
import { ControllerRevisions } from '../revisions/controller-revisions.ts';
import { buildClaims, buildStatefulPod, ordinalOf } from './build-stateful-pod.ts';
import { buildStatefulSetStatus, planStatefulSet, type StatefulSetPlan } from './plan-stateful-set.ts';

/** Runs StatefulSets: pods with names and host names that stay, created, removed and exchanged in order. */
export function startStatefulSetController(context: ControllerContext): Disposable {
  return new StatefulSetController(context).loop;
}

class StatefulSetController {
  readonly loop: ControllerLoop;
  readonly #context: ControllerContext;
  readonly #pods: PodControl<StatefulSet>;
  readonly #revisions: ControllerRevisions<StatefulSet>;

  constructor(context: ControllerContext) {
    this.#context = context;
    const { informers } = context;
    const type = resources.statefulSets;
    const loop = new ControllerLoop(context, { name: 'statefulset', reconcile: (key) => this.#reconcile(key) });
    this.loop = loop;
    const texts = (set: StatefulSet) => ({
      created: (pod: string) => `create Pod ${pod} in StatefulSet ${set.metadata?.name} successful`,
      deleted: (pod: string) => `delete Pod ${pod} in StatefulSet ${set.metadata?.name} successful`,
    });
    this.#pods = new PodControl(context, { loop, type, texts });
    this.#revisions = new ControllerRevisions(context, { loop, type });
    loop
      .watch(informers.for(type), (set) => [keyOf(set)])
      .watch(informers.for(resources.pods), (pod) => this.#pods.ownersOf(pod, ({ spec }) => spec?.selector))
      .watch(informers.for(resources.controllerRevisions), (revision) => this.#revisions.ownersOf(revision));
  }

  async #reconcile(key: string): Promise<void> {
    const { informers, clock } = this.#context;
    const set = informers.for(resources.statefulSets).get(key);
    if (set === undefined) return this.loop.fence.forget(key);
    const claimed = await this.#pods.claim(set, set.spec?.selector);
    const pods = claimed.filter((pod) => ordinalOf(set, pod) !== undefined);
    const update = await this.#revisions.current(set);
    const current =
      this.#revisions.of(set).find(({ metadata }) => metadata?.name === set.status?.currentRevision) ?? update;
    const facts = {
      set,
      pods,
      currentRevision: current.metadata?.name ?? '',
      updateRevision: update.metadata?.name ?? '',
      now: clock.now(),
    };
    const plan = planStatefulSet(facts);
    if (plan.changesIn !== undefined) this.loop.enqueueAfter(key, plan.changesIn);
    await this.#carryOut(set, plan, [current, update]);
    const status = buildStatefulSetStatus(facts);
    await this.loop.writeStatus(resources.statefulSets, set, status);
    const used = pods.map(({ metadata }) => metadata?.labels?.['controller-revision-hash']);
    await this.#revisions.prune(
      set,
      new Set([facts.currentRevision, facts.updateRevision, status.currentRevision, ...used]),
    );
  }

  async #carryOut(
    set: StatefulSet,
    { create, remove }: StatefulSetPlan,
    revisions: readonly ControllerRevision[],
  ): Promise<void> {
    await Promise.all(remove.map((pod) => this.#pods.delete(set, pod)));
    await Promise.all(
      create.map(async ({ ordinal, revision }) => {
        await this.#createClaims(set, ordinal);
        const template = revisions.find(({ metadata }) => metadata?.name === revision)!;
        await this.#pods.create(set, buildStatefulPod(set, template, ordinal));
      }),
    );
  }

  async #createClaims(set: StatefulSet, ordinal: number): Promise<void> {
    for (const claim of buildClaims(set, ordinal)) {
      try {
        await this.#context.client.create(resources.persistentVolumeClaims, claim);
      } catch (error) {
        if (!isReason(error, 'AlreadyExists')) throw error;
      }
    }
  }
}
