import type { KubeClient, ListOptions } from './client.ts';
import type { Clock } from './clock.ts';
import { Informer } from './informer.ts';
import type { KubeObject, ResourceType } from './resources.ts';

/** One Informer per kind and options on one client, shared by everybody who asks, as client-go's SharedInformerFactory. */
export class SharedInformers implements Disposable {
  readonly #client: KubeClient;
  readonly #clock: Clock;
  readonly #informers = new Map<string, Informer<KubeObject>>();

  constructor(client: KubeClient, clock: Clock) {
    this.#client = client;
    this.#clock = clock;
  }

  /** The one informer of this kind and these options; it lists only after start() here or on itself. */
  for<T extends KubeObject>(type: ResourceType<T>, options: ListOptions = {}): Informer<T> {
    const { namespace = '', labelSelector = '', fieldSelector = '' } = options;
    const key = [type.group, type.version, type.resource, namespace, labelSelector, fieldSelector].join('\n');
    let informer = this.#informers.get(key);
    if (informer === undefined) {
      informer = new Informer<KubeObject>(this.#client, this.#clock, type as ResourceType, options);
      this.#informers.set(key, informer);
    }
    return informer as unknown as Informer<T>;
  }

  /** Starts every informer asked for so far; resolves when all of them have synced. */
  async start(): Promise<void> {
    await Promise.all([...this.#informers.values()].map((informer) => informer.start()));
  }

  [Symbol.dispose](): void {
    for (const informer of this.#informers.values()) informer[Symbol.dispose]();
  }
}
