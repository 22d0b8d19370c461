import type { EventRecorder } from '../kube/event-recorder.ts';
import type { SharedInformers } from '../kube/informers.ts';
import { resources } from '../kube/resources.ts';
import { ServiceFacts, type ServiceFactsOptions } from './facts/service-facts.ts';
import { serviceWarnings } from './service-events.ts';

/** The facts of a cluster, kept by informers: made once and given to every proxy of the process. */
export interface ServiceFactsFeed {
  readonly facts: ServiceFacts;
  /** Resolves when the first lists of Services and EndpointSlices are in; no proxy writes a rule before. */
  readonly synced: Promise<void>;
  /** CIDRs of all ServiceCIDR objects; empty on servers without that kind. */
  serviceCIDRs(): readonly string[];
  /** Calls `listener` after serviceCIDRs changed. */
  onServiceCIDRs(listener: () => void): Disposable;
}

export interface ServiceFactsFeedOptions extends ServiceFactsOptions {
  /** Informers without selector are shared with the rest of the process; labels that exclude objects are looked at here. */
  readonly informers: SharedInformers;
  /** Makes an Event of each value that had to be skipped. */
  readonly recorder?: EventRecorder;
}

/** Connects ServiceFacts with the informers. The informers' owner closes them. */
export function feedServiceFacts({ informers, recorder, ...options }: ServiceFactsFeedOptions): ServiceFactsFeed {
  const warn = recorder && serviceWarnings(recorder, informers);
  const facts = new ServiceFacts({
    ...options,
    onProblem: (problem) => {
      warn?.(problem.service, problem);
      options.onProblem?.(problem);
    },
  });
  const services = informers.for(resources.services).onChange(({ key, current }) => facts.setService(key, current));
  const slices = informers.for(resources.endpointSlices).onChange(({ key, current }) => facts.setSlice(key, current));
  const listeners = new Set<() => void>();
  const serviceCIDRs = informers.for(resources.serviceCIDRs).onChange(() => {
    for (const listener of listeners) listener();
  });
  // Not waited for: a server older than 1.33 may not know the kind.
  void serviceCIDRs.start();
  return {
    facts,
    synced: Promise.all([services.start(), slices.start()]).then(() => {}),
    serviceCIDRs: () => serviceCIDRs.list().flatMap(({ spec }) => spec?.cidrs ?? []),
    onServiceCIDRs: (listener) => {
      listeners.add(listener);
      return { [Symbol.dispose]: () => void listeners.delete(listener) };
    },
  };
}
