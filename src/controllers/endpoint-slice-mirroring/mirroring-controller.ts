import type { EndpointSlice } from '../../kube/generated/types.ts';
import { keyOf, resources } from '../../kube/resources.ts';
import { planSlices } from '../endpoint-slice/plan-slices.ts';
import { MANAGED_BY, MIRRORING_CONTROLLER, SERVICE_NAME } from '../endpoint-slice/slice-labels.ts';
import { writeSlices } from '../endpoint-slice/write-slices.ts';
import type { ControllerContext } from '../loop/controller-context.ts';
import { ControllerLoop } from '../loop/controller-loop.ts';
import { ObjectIndex } from '../loop/object-index.ts';
import { buildMirror, isMirrored } from './mirror-endpoints.ts';

/** Shows hand-made Endpoints of Services without selector as EndpointSlices, which is all that proxies and DNS read. */
export function startEndpointSliceMirroringController(context: ControllerContext): Disposable {
  const { informers } = context;
  const slices = new ObjectIndex(informers.for(resources.endpointSlices), mirroredService);
  const loop: ControllerLoop = new ControllerLoop(context, {
    name: 'endpointslicemirroring',
    component: 'endpoint-slice-mirroring-controller',
    reconcile: async (key) => {
      const service = informers.for(resources.services).get(key);
      const endpoints = informers.for(resources.endpoints).get(key);
      const existing = slices.get(key);
      const plan = isMirrored(endpoints, service)
        ? planSlices(buildMirror(endpoints), existing)
        : { create: [], update: [], remove: existing };
      await writeSlices(context, { key, fence: loop.fence }, plan);
    },
  })
    .watch(informers.for(resources.services), (service) => [keyOf(service)])
    .watch(informers.for(resources.endpoints), (endpoints) => [keyOf(endpoints)])
    .watch(informers.for(resources.endpointSlices), mirroredService);
  return loop;
}

function mirroredService({ metadata }: EndpointSlice): readonly string[] {
  const { [SERVICE_NAME]: service, [MANAGED_BY]: manager } = metadata?.labels ?? {};
  return service && manager === MIRRORING_CONTROLLER ? [`${metadata?.namespace}/${service}`] : [];
}
