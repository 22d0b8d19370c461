import type { Pod, Service } from '../../kube/generated/types.ts';
import type { SharedInformers } from '../../kube/informers.ts';
import { hasLabels, type Labels } from '../../kube/label-selector.ts';
import { keyOf, resources } from '../../kube/resources.ts';
import { ObjectIndex } from '../loop/object-index.ts';
import { labelKey, labelKeysOf, type SharedIndexes } from '../loop/shared-indexes.ts';

/** Which pods a Service selects and which Services select a pod, without looking through all of them. */
export class ServiceSelection {
  readonly #indexes: SharedIndexes;
  /** Services by the first pair of their selector: a pod that lacks it is not selected. */
  readonly #byFirstPair: ObjectIndex<Service>;

  constructor(informers: SharedInformers, indexes: SharedIndexes) {
    this.#indexes = indexes;
    this.#byFirstPair = new ObjectIndex(informers.for(resources.services), ({ metadata, spec }) => {
      const [pair] = Object.entries(spec?.selector ?? {});
      return pair === undefined ? [] : [labelKey(metadata?.namespace, ...pair)];
    });
  }

  /** The pods that the Service selects; none when it has no selector. */
  podsOf({ metadata, spec }: Service): readonly Pod[] {
    const selector: Labels = spec?.selector ?? {};
    const { podsByLabel } = this.#indexes;
    const keys = Object.entries(selector).map(([key, value]) => labelKey(metadata?.namespace, key, value));
    const rarest = keys.sort((a, b) => podsByLabel.count(a) - podsByLabel.count(b))[0];
    if (rarest === undefined) return [];
    return podsByLabel.get(rarest).filter((pod) => hasLabels(selector, pod.metadata?.labels));
  }

  /** Keys of the Services that select the pod. */
  servicesOf(pod: Pod): readonly string[] {
    return labelKeysOf(pod)
      .flatMap((key) => this.#byFirstPair.get(key))
      .filter(({ spec }) => hasLabels(spec?.selector ?? {}, pod.metadata?.labels))
      .map(keyOf);
  }
}
