import type { Pod } from '../../kube/generated/types.ts';
import type { Informer } from '../../kube/informer.ts';

/** Told of the pods of one node: `pod` is undefined when the pod with that uid is gone. */
export type PodChange = (uid: string, pod: Pod | undefined) => void;

/** Deals the changes of the one pod informer out to the kubelets: each hears only of the pods bound to its node. */
export class PodsByNode {
  readonly #informer: Informer<Pod>;
  readonly #handlers = new Map<string, PodChange>();

  constructor(informer: Informer<Pod>) {
    this.#informer = informer;
    informer.onChange(({ previous, current }) => {
      const wasSameObject = previous?.metadata?.uid === current?.metadata?.uid;
      if (previous !== undefined && !wasSameObject) this.#tell(previous, undefined);
      if (current !== undefined) this.#tell(current, current);
    });
  }

  /** Tells `handler` of the node's pods, those that exist already first, until the result is disposed. */
  subscribe(nodeName: string, handler: PodChange): Disposable {
    this.#handlers.set(nodeName, handler);
    for (const pod of this.#informer.list()) if (pod.spec?.nodeName === nodeName) this.#tell(pod, pod);
    return { [Symbol.dispose]: () => void this.#handlers.delete(nodeName) };
  }

  #tell(of: Pod, pod: Pod | undefined): void {
    const nodeName = of.spec?.nodeName;
    if (nodeName) this.#handlers.get(nodeName)?.(of.metadata?.uid ?? '', pod);
  }
}
