import type { Deployment, Pod, ReplicaSet } from '../../kube/generated/types.ts';
import { matchesLabelSelector } from '../../kube/label-selector.ts';
import { controllerOf } from '../../kube/owner-references.ts';
import { keyOf, resources } from '../../kube/resources.ts';
import { isSemanticallyEqual } from '../../kube/semantic-equality.ts';
import { isReason } from '../../kube/status.ts';
import type { ControllerContext } from '../loop/controller-context.ts';
import { ControllerLoop } from '../loop/controller-loop.ts';
import { orphansOf } from '../loop/shared-indexes.ts';
import { carryOutClaim, sortClaims } from '../pods/claim-objects.ts';
import { isPodFinished } from '../pods/pod-facts.ts';
import { buildDeploymentStatus, isComplete, untilDeadline } from './build-status.ts';
import { isRollingUpdate, REVISION, replicasOf, revisionOf, wantedReplicas } from './deployment-facts.ts';
import {
  buildReplicaSet,
  refreshReplicaSet,
  replicasAnnotations,
  type SortedReplicaSets,
  sortReplicaSets,
} from './new-replica-set.ts';
import { newSetSize, planCleanup, planRecreate, planRollingUpdate } from './plan-rollout.ts';
import { isScalingEvent, planScale, type ScaleStep } from './plan-scale.ts';

/** Rolls Deployments out: one ReplicaSet for each template, exchanged within maxSurge and maxUnavailable. */
export function startDeploymentController(context: ControllerContext): Disposable {
  return new DeploymentController(context).loop;
}

class DeploymentController {
  readonly loop: ControllerLoop;
  readonly #context: ControllerContext;

  constructor(context: ControllerContext) {
    this.#context = context;
    const { informers } = context;
    this.loop = new ControllerLoop(context, { name: 'deployment', reconcile: (key) => this.#reconcile(key) })
      .watch(informers.for(resources.deployments), (deployment) => [keyOf(deployment)])
      .watch(informers.for(resources.replicaSets), (set) => this.#ownersOf(set));
    informers.for(resources.pods).onChange(({ previous, current }) => {
      if (previous !== undefined && current === undefined) this.#podIsGone(previous);
    });
  }

  async #reconcile(key: string): Promise<void> {
    const deployment = this.#context.informers.for(resources.deployments).get(key);
    if (deployment === undefined) return this.loop.fence.forget(key);
    const sets = sortReplicaSets(deployment, await this.#claimSets(deployment));
    if (deployment.metadata?.deletionTimestamp !== undefined)
      return this.#writeStatus(deployment, { ...sets, rollout: false });
    const all = [...(sets.newSet ? [sets.newSet] : []), ...sets.oldSets];
    if (deployment.spec?.paused || isScalingEvent(deployment, all)) return this.#resize(deployment, sets);
    await this.#rollOut(deployment, sets);
  }

  async #resize(deployment: Deployment, sets: SortedReplicaSets): Promise<void> {
    await this.#scale(deployment, planScale(deployment, sets));
    if (deployment.spec?.paused) await this.#cleanUp(deployment, sets.oldSets);
    await this.#writeStatus(deployment, { ...sets, rollout: false });
  }

  async #rollOut(deployment: Deployment, sets: SortedReplicaSets): Promise<void> {
    const rolling = isRollingUpdate(deployment);
    const oldPodsRun = !rolling && this.#oldPodsRun(sets.oldSets);
    const held = !rolling && (oldPodsRun || sets.oldSets.some((set) => replicasOf(set) > 0));
    const created = sets.newSet === undefined && !held ? await this.#createSet(deployment, sets.oldSets) : undefined;
    const newSet = created ?? (sets.newSet && (await this.#refresh(deployment, sets.newSet, sets.oldSets)));
    const present = { newSet, oldSets: sets.oldSets };
    const steps = rolling ? planRollingUpdate(deployment, present) : planRecreate(deployment, present, oldPodsRun);
    await this.#scale(deployment, steps);
    if (steps.length === 0 && isComplete(deployment, deployment.status ?? {}))
      await this.#cleanUp(deployment, sets.oldSets);
    if (newSet !== undefined) await this.#writeRevision(deployment, newSet);
    await this.#writeStatus(deployment, { ...present, created, rollout: true });
  }

  async #claimSets(deployment: Deployment): Promise<readonly ReplicaSet[]> {
    const { client, indexes } = this.#context;
    const { uid = '', namespace } = deployment.metadata ?? {};
    const index = indexes.replicaSetsByController;
    const claim = sortClaims(deployment, deployment.spec?.selector, [
      ...index.get(uid),
      ...index.get(orphansOf(namespace)),
    ]);
    const writer = { client, type: resources.replicaSets, ownerType: resources.deployments, owner: deployment };
    const sets = await carryOutClaim(writer, claim);
    if (claim.orphans.length > 0) for (const set of sets) this.#expect(deployment, set);
    return sets;
  }

  async #createSet(deployment: Deployment, oldSets: readonly ReplicaSet[]): Promise<ReplicaSet> {
    const { client } = this.#context;
    const replicas = isRollingUpdate(deployment)
      ? newSetSize(deployment, undefined, oldSets)
      : wantedReplicas(deployment);
    const set = buildReplicaSet(deployment, oldSets, replicas);
    try {
      const created = await client.create(resources.replicaSets, set);
      this.#expect(deployment, created);
      if (replicas > 0)
        this.#tellScaled(deployment, { set: { ...created, spec: { ...created.spec!, replicas: 0 } }, replicas });
      return created;
    } catch (error) {
      if (isReason(error, 'AlreadyExists')) await this.#noteCollision(deployment, set);
      throw error;
    }
  }

  // The name is taken: by our own set that the cache does not show yet (then it will), or by another template's hash.
  async #noteCollision(deployment: Deployment, set: ReplicaSet): Promise<void> {
    const { client } = this.#context;
    const { namespace, name = '' } = set.metadata ?? {};
    const taken = await client.get(resources.replicaSets, { namespace, name });
    const mine = controllerOf(taken)?.uid === deployment.metadata?.uid;
    if (mine && sortReplicaSets(deployment, [taken]).newSet !== undefined) return;
    const collisionCount = (deployment.status?.collisionCount ?? 0) + 1;
    await client.update(
      resources.deployments,
      { ...deployment, status: { ...deployment.status, collisionCount } },
      { subresource: 'status' },
    );
  }

  async #refresh(deployment: Deployment, set: ReplicaSet, oldSets: readonly ReplicaSet[]): Promise<ReplicaSet> {
    const refreshed = refreshReplicaSet(deployment, set, oldSets);
    return refreshed === set ? set : this.#updateSet(deployment, refreshed);
  }

  async #scale(deployment: Deployment, steps: readonly ScaleStep[]): Promise<void> {
    const annotations = replicasAnnotations(deployment);
    for (const step of steps) {
      const { set, replicas } = step;
      const metadata = { ...set.metadata, annotations: { ...set.metadata?.annotations, ...annotations } };
      const resized = { ...set, metadata, spec: { ...set.spec!, replicas } };
      if (isSemanticallyEqual(resized, set)) continue;
      await this.#updateSet(deployment, resized);
      if (replicas !== replicasOf(set)) this.#tellScaled(deployment, step);
    }
  }

  async #updateSet(deployment: Deployment, set: ReplicaSet): Promise<ReplicaSet> {
    const updated = await this.#context.client.update(resources.replicaSets, set);
    this.#expect(deployment, updated);
    return updated;
  }

  async #cleanUp(deployment: Deployment, oldSets: readonly ReplicaSet[]): Promise<void> {
    const { client, informers } = this.#context;
    for (const set of planCleanup(deployment, oldSets, revisionOf)) {
      const { namespace, name = '', uid } = set.metadata ?? {};
      await client.delete(resources.replicaSets, { namespace, name }, { uid });
      this.loop.fence.expectDeleted(keyOf(deployment), informers.for(resources.replicaSets), set);
    }
  }

  async #writeRevision(deployment: Deployment, newSet: ReplicaSet): Promise<void> {
    const revision = newSet.metadata?.annotations?.[REVISION];
    if (revision === undefined || deployment.metadata?.annotations?.[REVISION] === revision) return;
    const { namespace, name = '' } = deployment.metadata ?? {};
    const body = { metadata: { annotations: { [REVISION]: revision } } };
    const { client } = this.#context;
    const written = await client.patch(resources.deployments, { namespace, name }, { type: 'merge', body });
    this.#expectDeployment(written);
  }

  async #writeStatus(
    deployment: Deployment,
    sets: SortedReplicaSets & { readonly created?: ReplicaSet | undefined; readonly rollout: boolean },
  ): Promise<void> {
    const { client, clock } = this.#context;
    const now = clock.now();
    const status = buildDeploymentStatus(deployment, { ...sets, now });
    const wait = untilDeadline(deployment, status, now);
    if (wait !== undefined && !deployment.spec?.paused) this.loop.enqueueAfter(keyOf(deployment), wait);
    if (isSemanticallyEqual(status, deployment.status)) return;
    const { namespace, name = '' } = deployment.metadata ?? {};
    // Without a version: the revision annotation may just have been written. Only this controller writes the status.
    const body = { metadata: { uid: deployment.metadata?.uid }, status };
    const written = await client.patch(
      resources.deployments,
      { namespace, name },
      { type: 'merge', body },
      { subresource: 'status' },
    );
    this.#expectDeployment(written);
  }

  #expect(deployment: Deployment, written: ReplicaSet): void {
    this.loop.fence.expectWritten(keyOf(deployment), this.#context.informers.for(resources.replicaSets), written);
  }

  #expectDeployment(written: Deployment): void {
    this.loop.fence.expectWritten(keyOf(written), this.#context.informers.for(resources.deployments), written);
  }

  #tellScaled(deployment: Deployment, { set, replicas }: ScaleStep): void {
    const before = replicasOf(set);
    const message = `Scaled ${replicas > before ? 'up' : 'down'} replica set ${set.metadata?.name} from ${before} to ${replicas}`;
    this.loop.recorder.record(resources.deployments, deployment, {
      type: 'Normal',
      reason: 'ScalingReplicaSet',
      message,
    });
  }

  #oldPodsRun(oldSets: readonly ReplicaSet[]): boolean {
    const { podsByController } = this.#context.indexes;
    return oldSets.some(({ metadata }) => podsByController.get(metadata?.uid ?? '').some((pod) => !isPodFinished(pod)));
  }

  #podIsGone(pod: Pod): void {
    const owner = controllerOf(pod);
    if (owner?.kind !== 'ReplicaSet') return;
    const set = this.#context.informers.for(resources.replicaSets).get(`${pod.metadata?.namespace}/${owner.name}`);
    if (set !== undefined) for (const key of this.#ownersOf(set)) this.loop.enqueue(key);
  }

  #ownersOf(set: ReplicaSet): readonly string[] {
    const { namespace, labels } = set.metadata ?? {};
    const controller = controllerOf(set);
    if (controller !== undefined) return controller.kind === 'Deployment' ? [`${namespace}/${controller.name}`] : [];
    const deployments = this.#context.informers.for(resources.deployments).list();
    return deployments
      .filter(({ metadata, spec }) => metadata?.namespace === namespace && matchesLabelSelector(spec?.selector, labels))
      .map(keyOf);
  }
}
