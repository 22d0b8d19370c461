import type { EventRecorder } from '../kube/event-recorder.ts';
import type { SharedInformers } from '../kube/informers.ts';
import { resources } from '../kube/resources.ts';

/** Records a warning at a Service, given as `namespace/name`. */
export type ServiceWarning = (service: string, warning: { readonly reason: string; readonly message: string }) => void;

/** Warnings as Events. They name the object's uid, by which `kubectl describe` finds them. */
export function serviceWarnings(recorder: EventRecorder, informers: SharedInformers): ServiceWarning {
  const services = informers.for(resources.services);
  return (service, { reason, message }) => {
    const [namespace = '', name = ''] = service.split('/');
    const object = services.get(service) ?? { metadata: { namespace, name } };
    recorder.record(resources.services, object, { type: 'Warning', reason, message });
  };
}
