import type {
  DeleteOptions,
  KubeClient,
  ListOptions,
  ObjectKey,
  PatchType,
  Watch,
  WatchEvent,
  WatchOptions,
  WriteOptions,
} from '../../kube/client.ts';
import type { Clock, Random } from '../../kube/clock.ts';
import type { ListMeta } from '../../kube/generated/types.ts';
import { apiVersionOf, type KubeObject, type ResourceType } from '../../kube/resources.ts';
import { ApiStatusError } from '../../kube/status.ts';
import type { ApiConnection } from './api-connection.ts';
import { apiPath, apiQuery } from './api-path.ts';
import { ApiRequests } from './api-requests.ts';
import { HttpWatch } from './http-watch.ts';
import type { RunPlugin } from './plugin-credential.ts';

export interface HttpKubeClientOptions {
  readonly connection: ApiConnection;
  readonly clock: Clock;
  readonly random: Random;
  /** `towtank-proxy/0.1.0`; what stands before the slash is the manager of fields it writes. */
  readonly userAgent: string;
  /** Runs credential plugins; connections with one need it. */
  readonly runPlugin?: RunPlugin | undefined;
  /** Told of each list and watch that failed: informers try again and say nothing. */
  readonly onProblem?: ((error: unknown) => void) | undefined;
}

interface ObjectList<T> {
  readonly metadata?: ListMeta;
  readonly items?: T[] | null;
}

const PAGE = 500;

const PATCH_TYPES: Readonly<Record<PatchType, string>> = {
  json: 'application/json-patch+json',
  merge: 'application/merge-patch+json',
  strategic: 'application/strategic-merge-patch+json',
  apply: 'application/apply-patch+yaml',
};

/** The API of any Kubernetes API server over HTTP/1.1 and JSON. Disposing of it ends its watches and connections. */
export class HttpKubeClient implements KubeClient, Disposable {
  readonly #options: HttpKubeClientOptions;
  readonly #requests: ApiRequests;
  readonly #watches = new Set<Watch>();

  constructor(options: HttpKubeClientOptions) {
    this.#options = options;
    this.#requests = new ApiRequests(options);
  }

  get<T extends KubeObject>(type: ResourceType<T>, key: ObjectKey): Promise<T> {
    return this.#requests.json<T>({ method: 'GET', path: apiPath(type, key) });
  }

  async list<T extends KubeObject>(
    type: ResourceType<T>,
    { namespace, labelSelector, fieldSelector }: ListOptions = {},
  ): Promise<{ readonly items: readonly T[]; readonly resourceVersion: string }> {
    const path = (page: { readonly limit?: number; readonly continue?: string }): string =>
      apiPath(type, { namespace }) + apiQuery({ labelSelector, fieldSelector, ...page });
    const items: T[] = [];
    let next: string | undefined;
    for (;;) {
      const page = await this.#page<T>(path({ limit: PAGE, ...(next && { continue: next }) })).catch((error) => {
        if (next === undefined || !isExpired(error)) {
          this.#options.onProblem?.(error);
          throw error;
        }
        items.length = 0;
        return this.#page<T>(path({}));
      });
      for (const item of page.items ?? []) items.push(withType(item, type));
      next = page.metadata?.continue;
      if (!next) return { items, resourceVersion: page.metadata?.resourceVersion ?? '' };
    }
  }

  watch<T extends KubeObject>(
    type: ResourceType<T>,
    { resourceVersion, ...options }: WatchOptions,
    onEvent: (event: WatchEvent<T>) => void,
    onEnd: (cause?: unknown) => void,
  ): Watch {
    const { clock, random } = this.#options;
    const running = new HttpWatch({
      ...{ requests: this.#requests, clock, random, type: type as ResourceType, options, resourceVersion },
      onEvent: onEvent as (event: WatchEvent) => void,
      onEnd: (cause) => {
        this.#watches.delete(running);
        onEnd(cause);
      },
      onProblem: (error) => this.#options.onProblem?.(error),
    });
    this.#watches.add(running);
    const close = (): void => {
      this.#watches.delete(running);
      running.close();
    };
    return { close, [Symbol.dispose]: close };
  }

  create<T extends KubeObject>(type: ResourceType<T>, object: T, options: WriteOptions = {}): Promise<T> {
    const { namespace, name } = object.metadata ?? {};
    const { subresource } = options;
    const target = subresource === undefined ? { namespace } : { namespace, name, subresource };
    const path = apiPath(type, target) + this.#writeQuery(options);
    // What a subresource takes has a kind of its own.
    const body = subresource === undefined ? withType({ ...object }, type) : object;
    return this.#requests.json<T>({ method: 'POST', path, body });
  }

  update<T extends KubeObject>(type: ResourceType<T>, object: T, options: WriteOptions = {}): Promise<T> {
    const { namespace, name } = object.metadata ?? {};
    const path = apiPath(type, { namespace, name, subresource: options.subresource }) + this.#writeQuery(options);
    const body = options.subresource === 'scale' ? object : withType({ ...object }, type);
    return this.#requests.json<T>({ method: 'PUT', path, body });
  }

  patch<T extends KubeObject>(
    type: ResourceType<T>,
    { namespace, name }: ObjectKey,
    patch: { readonly type: PatchType; readonly body: unknown; readonly force?: boolean },
    options: WriteOptions = {},
  ): Promise<T> {
    const target = apiPath(type, { namespace, name, subresource: options.subresource });
    const path = target + this.#writeQuery({ ...options, force: patch.force });
    return this.#requests.json<T>({ method: 'PATCH', path, body: patch.body, contentType: PATCH_TYPES[patch.type] });
  }

  async delete(type: ResourceType, key: ObjectKey, options: DeleteOptions = {}): Promise<void> {
    const { gracePeriodSeconds, propagationPolicy, uid, resourceVersion } = options;
    const preconditions = uid === undefined && resourceVersion === undefined ? undefined : { uid, resourceVersion };
    const body = { kind: 'DeleteOptions', apiVersion: 'v1', gracePeriodSeconds, propagationPolicy, preconditions };
    await this.#requests.json({ method: 'DELETE', path: apiPath(type, key), body });
  }

  [Symbol.dispose](): void {
    for (const watch of this.#watches) watch.close();
    this.#requests[Symbol.dispose]();
  }

  #page<T extends KubeObject>(path: string): Promise<ObjectList<T>> {
    return this.#requests.json<ObjectList<T>>({ method: 'GET', path });
  }

  #writeQuery({ fieldManager, dryRun, force }: WriteOptions & { readonly force?: boolean | undefined }): string {
    const manager = fieldManager ?? this.#options.userAgent.split('/', 1)[0];
    return apiQuery({ fieldManager: manager, dryRun: dryRun ? 'All' : undefined, force });
  }
}

// Items of a list come without kind and apiVersion; in process they have them. The object was made by this request alone.
function withType<T extends KubeObject>(object: T, type: ResourceType<T>): T {
  return Object.assign(object, { kind: type.kind, apiVersion: apiVersionOf(type as ResourceType) });
}

// Somebody wrote so much between two pages that the first one's version is gone: then all is asked for at once.
const isExpired = (error: unknown): boolean => error instanceof ApiStatusError && error.status === 410;
