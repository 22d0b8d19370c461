import type { ControllerRevision, DaemonSet, Node, Pod } from '../../kube/generated/types.ts';
import { controllerReferenceTo } from '../../kube/owner-references.ts';
import { keyOf, resources } from '../../kube/resources.ts';
import { isSemanticallyEqual } from '../../kube/semantic-equality.ts';
import type { ControllerContext } from '../loop/controller-context.ts';
import { ControllerLoop } from '../loop/controller-loop.ts';
import { buildPodFromTemplate } from '../pods/build-pod.ts';
import { PodControl } from '../pods/pod-control.ts';
import { ControllerRevisions, REVISION_HASH } from '../revisions/controller-revisions.ts';
import { pinToNode, withDaemonTolerations } from './daemon-nodes.ts';
import { buildDaemonSetStatus, planDaemonSet } from './plan-daemon-set.ts';

/** Runs one pod of each DaemonSet on every node that suits it. */
export function startDaemonSetController(context: ControllerContext): Disposable {
  return new DaemonSetController(context).loop;
}

class DaemonSetController {
  readonly loop: ControllerLoop;
  readonly #context: ControllerContext;
  readonly #pods: PodControl<DaemonSet>;
  readonly #revisions: ControllerRevisions<DaemonSet>;

  constructor(context: ControllerContext) {
    this.#context = context;
    const { informers } = context;
    const type = resources.daemonSets;
    const loop = new ControllerLoop(context, { name: 'daemonset', reconcile: (key) => this.#reconcile(key) });
    this.loop = loop;
    this.#pods = new PodControl(context, { loop, type });
    this.#revisions = new ControllerRevisions(context, { loop, type });
    loop
      .watch(informers.for(type), (set) => [keyOf(set)])
      .watch(informers.for(resources.pods), (pod) => this.#pods.ownersOf(pod, ({ spec }) => spec?.selector))
      .watch(informers.for(resources.controllerRevisions), (revision) => this.#revisions.ownersOf(revision));
    informers.for(resources.nodes).onChange(({ previous, current }) => {
      if (isSemanticallyEqual(facts(previous), facts(current))) return;
      for (const set of informers.for(type).list()) loop.enqueue(keyOf(set));
    });
  }

  async #reconcile(key: string): Promise<void> {
    const { informers, clock } = this.#context;
    const set = informers.for(resources.daemonSets).get(key);
    if (set === undefined) return this.loop.fence.forget(key);
    const pods = await this.#pods.claim(set, set.spec?.selector);
    const revision = await this.#revisions.current(set);
    const hash = revision.metadata?.labels?.['controller.kubernetes.io/hash'] ?? '';
    const input = { set, pods, nodes: informers.for(resources.nodes).list(), hash, now: clock.now() };
    const { create, remove } = planDaemonSet(input);
    await Promise.all(remove.map((pod) => this.#pods.delete(set, pod)));
    await Promise.all(create.map((node) => this.#pods.create(set, buildDaemonPod(set, hash, node))));
    const { status, changesIn } = buildDaemonSetStatus(input);
    if (changesIn !== undefined) this.loop.enqueueAfter(key, changesIn);
    await this.loop.writeStatus(resources.daemonSets, set, status);
    await this.#revisions.prune(set, this.#revisionsInUse(set, pods, revision));
  }

  #revisionsInUse(set: DaemonSet, pods: readonly Pod[], current: ControllerRevision): ReadonlySet<string | undefined> {
    const hashes = new Set(pods.map(({ metadata }) => metadata?.labels?.[REVISION_HASH]));
    const used = this.#revisions
      .of(set)
      .filter(({ metadata }) => hashes.has(metadata?.labels?.['controller.kubernetes.io/hash']));
    return new Set([current, ...used].map(({ metadata }) => metadata?.name));
  }
}

function buildDaemonPod(set: DaemonSet, hash: string, node: string): Pod {
  const template = set.spec?.template ?? {};
  const pod = buildPodFromTemplate({
    template,
    namespace: set.metadata?.namespace ?? '',
    owner: controllerReferenceTo(resources.daemonSets, set),
    labels: { [REVISION_HASH]: hash, 'pod-template-generation': String(set.metadata?.generation ?? 1) },
  });
  return { ...pod, spec: pinToNode(withDaemonTolerations(pod.spec!), node) };
}

// What decides about daemons on a node; heartbeats are not among it.
function facts(node: Node | undefined): unknown {
  return node && [node.metadata?.labels, node.spec?.taints, node.spec?.unschedulable];
}
