import type { Endpoints } from '../../kube/generated/types.ts';
import { keyOf, resources, splitKey } from '../../kube/resources.ts';
import { isSemanticallyEqual } from '../../kube/semantic-equality.ts';
import { isReason } from '../../kube/status.ts';
import { TRIGGER_TIME } from '../endpoint-slice/slice-labels.ts';
import { TriggerTimeTracker } from '../endpoint-slice/trigger-time.ts';
import type { ControllerContext } from '../loop/controller-context.ts';
import { ControllerLoop } from '../loop/controller-loop.ts';
import { ServiceSelection } from '../pods/selected-pods.ts';
import { selectsPods } from '../pods/service-endpoints.ts';
import { buildEndpoints } from './build-endpoints.ts';

/** Keeps the Endpoints object of every Service that has a selector: what older clients read instead of EndpointSlices. */
export function startEndpointsController(context: ControllerContext): Disposable {
  return new EndpointsController(context).loop;
}

class EndpointsController {
  readonly loop: ControllerLoop;
  readonly #context: ControllerContext;
  readonly #selection: ServiceSelection;
  readonly #triggers = new TriggerTimeTracker();
  /** Services that were deleted and whose Endpoints have not been looked at since. */
  readonly #deleted = new Set<string>();

  constructor(context: ControllerContext) {
    this.#context = context;
    const { informers, indexes } = context;
    this.#selection = new ServiceSelection(informers, indexes);
    this.loop = new ControllerLoop(context, {
      name: 'endpoint',
      component: 'endpoint-controller',
      reconcile: (key) => this.#reconcile(key),
    })
      .watch(informers.for(resources.services), (service) => [keyOf(service)])
      .watch(informers.for(resources.endpoints), (endpoints) => [keyOf(endpoints)])
      .watch(informers.for(resources.pods), (pod) => this.#selection.servicesOf(pod));
    informers.for(resources.services).onChange(({ key, current }) => {
      if (current === undefined) this.#deleted.add(key);
      else this.#deleted.delete(key);
    });
  }

  async #reconcile(key: string): Promise<void> {
    const { informers, client } = this.#context;
    const service = informers.for(resources.services).get(key);
    const current = informers.for(resources.endpoints).get(key);
    if (service === undefined) return this.#remove(key, current);
    if (!selectsPods(service)) return;
    const pods = this.#selection.podsOf(service);
    const triggerTime = this.#triggers.next(key, service, pods);
    const wanted = this.loop.timed(key, () => buildEndpoints(service, pods));
    if (current !== undefined && isSame(wanted, current)) return;
    const next = withAnnotations(wanted, current, triggerTime);
    const written = await this.loop.timedWrite(key, () =>
      current === undefined ? client.create(resources.endpoints, next) : client.update(resources.endpoints, next),
    );
    this.loop.fence.expectWritten(key, informers.for(resources.endpoints), written);
  }

  // With a Service go its Endpoints, even hand-made ones; Endpoints that never had a Service stay.
  async #remove(key: string, current: Endpoints | undefined): Promise<void> {
    this.#triggers.forget(key);
    this.loop.fence.forget(key);
    const isOrphan = current?.metadata?.labels?.['endpoints.kubernetes.io/managed-by'] !== undefined;
    if (current === undefined || !(this.#deleted.has(key) || isOrphan)) return;
    const { namespace, name } = splitKey(key);
    try {
      await this.#context.client.delete(resources.endpoints, { namespace, name }, { uid: current.metadata?.uid });
      this.#deleted.delete(key);
    } catch (error) {
      if (!isReason(error, 'NotFound')) throw error;
    }
  }
}

function isSame(wanted: Endpoints, current: Endpoints): boolean {
  const over = (endpoints: Endpoints): string | undefined =>
    endpoints.metadata?.annotations?.['endpoints.kubernetes.io/over-capacity'];
  return (
    isSemanticallyEqual(wanted.subsets, current.subsets) &&
    isSemanticallyEqual(wanted.metadata?.labels, current.metadata?.labels) &&
    over(wanted) === over(current)
  );
}

function withAnnotations(
  wanted: Endpoints,
  current: Endpoints | undefined,
  triggerTime: string | undefined,
): Endpoints {
  const {
    [TRIGGER_TIME]: _trigger,
    'endpoints.kubernetes.io/over-capacity': _over,
    ...kept
  } = current?.metadata?.annotations ?? {};
  const annotations = {
    ...kept,
    ...wanted.metadata?.annotations,
    ...(triggerTime ? { [TRIGGER_TIME]: triggerTime } : {}),
  };
  return { ...wanted, metadata: { ...current?.metadata, ...wanted.metadata, annotations } };
}
