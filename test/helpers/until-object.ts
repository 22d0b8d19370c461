import type { KubeClient, ObjectKey } from '../../src/kube/client.ts';
import type { KubeObject, ResourceType } from '../../src/kube/resources.ts';

/** Resolves with the object as soon as it is as wanted; undefined stands for one that is not there. */
export async function untilObject<T extends KubeObject>(
  client: KubeClient,
  type: ResourceType<T>,
  { name, namespace }: ObjectKey,
  isWanted: (object: T | undefined) => boolean,
): Promise<T | undefined> {
  const selection = { namespace, fieldSelector: `metadata.name=${name}` };
  const { items, resourceVersion } = await client.list(type, selection);
  if (isWanted(items[0])) return items[0];
  const { promise, resolve, reject } = Promise.withResolvers<T | undefined>();
  using _watch = client.watch(
    type,
    { ...selection, resourceVersion },
    ({ type: change, object }) => {
      const current = change === 'DELETED' ? undefined : object;
      if (change !== 'BOOKMARK' && isWanted(current)) resolve(current);
    },
    (cause) => reject(cause ?? new Error('the watch ended')),
  );
  return await promise;
}
