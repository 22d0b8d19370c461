import type { EndpointSlice, Node, Service } from '../../kube/generated/types.ts';
import { keyOf, resources } from '../../kube/resources.ts';
import type { ControllerContext } from '../loop/controller-context.ts';
import { ControllerLoop } from '../loop/controller-loop.ts';
import { ObjectIndex } from '../loop/object-index.ts';
import { ServiceSelection } from '../pods/selected-pods.ts';
import { selectsPods } from '../pods/service-endpoints.ts';
import { planServiceSlices } from './plan-service-slices.ts';
import { ENDPOINT_SLICE_CONTROLLER, MANAGED_BY, SERVICE_NAME } from './slice-labels.ts';
import { wantsTopologyHints } from './topology-hints.ts';
import { TriggerTimeTracker } from './trigger-time.ts';
import { writeSlices } from './write-slices.ts';

export interface EndpointSliceControllerOptions {
  /** Default 100. */
  readonly maxEndpointsPerSlice?: number;
  /** Changes of pods are gathered for this long before slices are written; default 0. */
  readonly batchPeriodMs?: number;
}

/** Keeps the EndpointSlices of every Service that has a selector. */
export function startEndpointSliceController(
  context: ControllerContext,
  options: EndpointSliceControllerOptions = {},
): Disposable {
  return new EndpointSliceController(context, options).loop;
}

class EndpointSliceController {
  readonly loop: ControllerLoop;
  readonly #context: ControllerContext;
  readonly #options: EndpointSliceControllerOptions;
  readonly #selection: ServiceSelection;
  readonly #slices: ObjectIndex<EndpointSlice>;
  readonly #triggers = new TriggerTimeTracker();
  /** Why a Service has no topology hints, '' when it has them, by its key and address type. */
  readonly #topology = new Map<string, string>();

  constructor(context: ControllerContext, options: EndpointSliceControllerOptions) {
    this.#context = context;
    this.#options = options;
    const { informers, indexes } = context;
    this.#selection = new ServiceSelection(informers, indexes);
    this.#slices = new ObjectIndex(informers.for(resources.endpointSlices), servicesOfSlice);
    this.loop = new ControllerLoop(context, {
      name: 'endpointslice',
      component: 'endpoint-slice-controller',
      reconcile: (key) => this.#reconcile(key),
    })
      .watch(informers.for(resources.services), (service) => [keyOf(service)])
      .watch(informers.for(resources.endpointSlices), servicesOfSlice);
    informers.for(resources.pods).onChange(({ previous, current }) => {
      const keys = new Set(
        [previous, current].flatMap((pod) => (pod === undefined ? [] : this.#selection.servicesOf(pod))),
      );
      for (const key of keys) this.#podChanged(key);
    });
    informers.for(resources.nodes).onChange(({ previous, current }) => {
      if (zoneOf(previous) !== zoneOf(current) || !previous || !current) this.#nodeChanged((current ?? previous)!);
      if (shareOf(previous) !== shareOf(current)) this.#topologyChanged();
    });
  }

  async #reconcile(key: string): Promise<void> {
    const { informers } = this.#context;
    const service = informers.for(resources.services).get(key);
    if (service === undefined) {
      this.#triggers.forget(key);
      for (const type of ['IPv4', 'IPv6']) this.#topology.delete(`${key} ${type}`);
      return this.loop.fence.forget(key);
    }
    if (!selectsPods(service)) return;
    const pods = this.#selection.podsOf(service);
    const triggerTime = this.#triggers.next(key, service, pods);
    const nodes = informers.for(resources.nodes);
    const facts = { service, pods, nodeOf: (name: string) => nodes.get(name) };
    const onTopology = (type: string, problem: string | undefined): void => this.#tellTopology(service, type, problem);
    const options = { ...this.#options, triggerTime, nodes: () => nodes.list(), onTopology };
    const plan = this.loop.timed(key, () => planServiceSlices(facts, this.#slices.get(key), options));
    await this.loop.timedWrite(key, () => writeSlices(this.#context, { key, fence: this.loop.fence }, plan));
  }

  #podChanged(key: string): void {
    const { batchPeriodMs = 0 } = this.#options;
    if (batchPeriodMs === 0) this.loop.enqueue(key);
    else this.loop.enqueueAfter(key, batchPeriodMs);
  }

  // Once for each change: whether hints can be given is worked out at every reconcile.
  #tellTopology(service: Service, type: string, problem: string | undefined): void {
    const key = `${keyOf(service)} ${type}`;
    const before = this.#topology.get(key);
    if (before === (problem ?? '')) return;
    this.#topology.set(key, problem ?? '');
    const details =
      problem === undefined
        ? ({
            type: 'Normal',
            reason: 'TopologyAwareHintsEnabled',
            message: `Topology Aware Hints has been enabled, addressType: ${type}`,
          } as const)
        : ({
            type: 'Warning',
            reason: 'TopologyAwareHintsDisabled',
            message: `${problem}, addressType: ${type}`,
          } as const);
    this.loop.recorder.record(resources.services, service, details);
  }

  #topologyChanged(): void {
    for (const service of this.#context.informers.for(resources.services).list()) {
      if (wantsTopologyHints(service)) this.loop.enqueue(keyOf(service));
    }
  }

  #nodeChanged(node: Node): void {
    for (const pod of this.#context.indexes.podsByNode.get(node.metadata?.name ?? '')) {
      for (const key of this.#selection.servicesOf(pod)) this.loop.enqueue(key);
    }
  }
}

function servicesOfSlice({ metadata }: EndpointSlice): readonly string[] {
  const { [SERVICE_NAME]: service, [MANAGED_BY]: manager } = metadata?.labels ?? {};
  return service && manager === ENDPOINT_SLICE_CONTROLLER ? [`${metadata?.namespace}/${service}`] : [];
}

function zoneOf(node: Node | undefined): string | undefined {
  return node?.metadata?.labels?.['topology.kubernetes.io/zone'];
}

// What of a node decides about its zone's share of endpoints.
function shareOf(node: Node | undefined): string {
  const ready = node?.status?.conditions?.find(({ type }) => type === 'Ready')?.status;
  return [zoneOf(node), node?.status?.allocatable?.['cpu'], ready].join(' ');
}
