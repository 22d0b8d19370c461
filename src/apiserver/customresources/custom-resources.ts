import type { ResourceType } from '../../kube/resources.ts';
import { followStore } from '../machinery/follow-store.ts';
import { prefixOf } from '../machinery/object-keys.ts';
import type { CustomResource } from './build-custom-resources.ts';
import { type CustomResourcesOptions, definitions } from './definitions.ts';
import type { ServedDefinitions } from './served-definitions.ts';

/** Serves what CustomResourceDefinitions define. How that is done is loaded with the first definition: most clusters have none. */
export class CustomResources implements Disposable {
  readonly #options: CustomResourcesOptions;
  readonly #prefix = prefixOf(definitions);
  #served: ServedDefinitions | undefined;
  #loading: Promise<void> | undefined;
  #following: Disposable | undefined;

  private constructor(options: CustomResourcesOptions) {
    this.#options = options;
  }

  /** Resolves when everything that is defined and established is served. */
  static async start(options: CustomResourcesOptions): Promise<CustomResources> {
    const resources = new CustomResources(options);
    const { store } = options.machinery;
    if (store.count(resources.#prefix) > 0) await resources.#load();
    resources.#following = followStore(store, resources.#prefix, (keys) => resources.#changed(keys));
    resources.#served?.syncAll();
    return resources;
  }

  /** The resource as its definition has it; undefined for built-in ones. */
  find(type: ResourceType): CustomResource | undefined {
    return this.#served?.find(type);
  }

  [Symbol.dispose](): void {
    this.#following?.[Symbol.dispose]();
  }

  #changed(keys: readonly string[] | 'everything'): void {
    const served = this.#served;
    if (!served) void this.#load().then(() => this.#served?.syncAll(), this.#options.onError);
    else if (keys === 'everything') served.syncAll();
    else for (const key of keys) served.sync(key.slice(this.#prefix.length));
  }

  #load(): Promise<void> {
    this.#loading ??= import('./served-definitions.ts').then((loaded) => {
      this.#served = new loaded.ServedDefinitions(this.#options);
    });
    return this.#loading;
  }
}
