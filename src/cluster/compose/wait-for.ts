import { UserError } from '../../errors/towtank-error.ts';
import type { KubeClient, WatchEvent } from '../../kube/client.ts';
import type { KubeObject, ResourceType } from '../../kube/resources.ts';

export interface WaitRequest {
  readonly name: string;
  readonly namespace: string | undefined;
  /** A condition type, `exists`, `deleted` or `address`. */
  readonly for: string;
  readonly timeoutMs: number;
}

interface Conditioned extends KubeObject {
  readonly status?: {
    readonly conditions?: readonly {
      readonly type: string;
      readonly status: string;
      readonly message?: string;
      readonly reason?: string;
    }[];
    readonly loadBalancer?: { readonly ingress?: readonly unknown[] };
    /** Of a DaemonSet, which has no conditions. */
    readonly desiredNumberScheduled?: number;
    readonly numberReady?: number;
  };
}

/** True when an object, or its absence, is what is waited for. */
export function holds(object: KubeObject | undefined, what: string): boolean {
  if (what === 'deleted') return object === undefined;
  if (object === undefined) return false;
  const { status } = object as Conditioned;
  if (what === 'exists') return true;
  if (what === 'address') return (status?.loadBalancer?.ingress?.length ?? 0) > 0;
  if (what === 'Available' && status?.desiredNumberScheduled !== undefined) {
    return status.desiredNumberScheduled > 0 && (status.numberReady ?? 0) >= status.desiredNumberScheduled;
  }
  return status?.conditions?.some((condition) => condition.type === what && condition.status === 'True') ?? false;
}

/** Resolves when the condition holds; rejects with ERR_TIMEOUT that tells the last state seen. */
export async function waitFor(client: KubeClient, type: ResourceType, request: WaitRequest): Promise<void> {
  const { name, namespace } = request;
  const options = { namespace, fieldSelector: `metadata.name=${name}` };
  const { items, resourceVersion } = await client.list(type, options);
  let last = items.find((item) => item.metadata?.name === name);
  if (holds(last, request.for)) return;
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const onEvent = (event: WatchEvent): void => {
    if (event.type === 'BOOKMARK' || event.type === 'ERROR') return;
    last = event.type === 'DELETED' ? undefined : event.object;
    if (holds(last, request.for)) resolve();
  };
  const watch = client.watch(type, { ...options, resourceVersion }, onEvent, (cause) => {
    if (cause !== undefined) reject(cause);
  });
  const timer = setTimeout(() => {
    reject(
      new UserError({
        code: 'ERR_TIMEOUT',
        message: `${type.resource} ${name} is not "${request.for}" after ${request.timeoutMs} ms; ${lastState(last)}`,
        hint: `kubectl describe ${type.resource} ${name}`,
      }),
    );
  }, request.timeoutMs);
  try {
    await promise;
  } finally {
    clearTimeout(timer);
    watch.close();
  }
}

function lastState(object: KubeObject | undefined): string {
  if (object === undefined) return 'it does not exist';
  const conditions = (object as Conditioned).status?.conditions ?? [];
  const unmet = conditions.filter(({ status }) => status !== 'True');
  const told = unmet.map(({ type, reason, message }) => `${type}: ${[reason, message].filter(Boolean).join(' ')}`);
  return told.length === 0 ? 'it has no condition yet' : told.join('; ');
}
