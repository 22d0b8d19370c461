import { type KubeObject, keyOf, type ResourceType, resources } from '../../kube/resources.ts';
import { isSemanticallyEqual } from '../../kube/semantic-equality.ts';
import { isReason } from '../../kube/status.ts';
import type { ControllersConfig } from '../config.ts';
import type { ControllerContext } from '../loop/controller-context.ts';
import { ControllerLoop } from '../loop/controller-loop.ts';
import { buildKubernetesService } from './kubernetes-service.ts';

const KEY = 'default/kubernetes';

/** Keeps default/kubernetes and its endpoints as they must be: whoever deletes or changes them gets them back. */
export function startKubernetesServiceController(context: ControllerContext, config: ControllersConfig): Disposable {
  const wanted = buildKubernetesService(config);
  const { informers } = context;
  const only = (object: KubeObject): readonly string[] => (keyOf(object) === KEY ? [KEY] : []);
  const loop = new ControllerLoop(context, {
    name: 'kubernetes-service',
    reconcile: async () => {
      await ensure(context, {
        type: resources.services,
        wanted: wanted.service,
        matters: (service) => service.spec?.ports,
      });
      await ensure(context, { type: resources.endpoints, wanted: wanted.endpoints, matters: ({ subsets }) => subsets });
      await ensure(context, {
        type: resources.endpointSlices,
        wanted: wanted.slice,
        matters: ({ ports, endpoints, metadata }) => [ports, endpoints, metadata?.labels],
      });
    },
  })
    .watch(informers.for(resources.services), only)
    .watch(informers.for(resources.endpoints), only)
    .watch(informers.for(resources.endpointSlices), only);
  loop.enqueue(KEY);
  return loop;
}

interface Ensure<T extends KubeObject> {
  readonly type: ResourceType<T>;
  readonly wanted: T;
  /** The part that must be as wanted. */
  readonly matters: (object: T) => unknown;
}

async function ensure<T extends KubeObject>(
  { client }: ControllerContext,
  { type, wanted, matters }: Ensure<T>,
): Promise<void> {
  const key = { namespace: 'default', name: 'kubernetes' };
  try {
    const current = await client.get(type, key);
    if (isSemanticallyEqual(matters(current), matters(wanted))) return;
    const metadata = { ...current.metadata, labels: { ...current.metadata?.labels, ...wanted.metadata?.labels } };
    await client.update(type, { ...current, ...wanted, metadata });
  } catch (error) {
    if (!isReason(error, 'NotFound')) throw error;
    await client.create(type, wanted);
  }
}
