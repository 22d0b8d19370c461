import type { KubeClient, ListOptions, Watch, WatchEvent } from '../kube/client.ts';
import { type KubeObject, type ResourceType, resources } from '../kube/resources.ts';

const OURS = '!service.kubernetes.io/service-proxy-name,!service.kubernetes.io/headless';

/**
 * A client for a proxy that is alone in its process, as a real node's is: its lists and watches bring only what the proxy of
 * one node looks at, chosen by the server as for kube-proxy, and without managedFields, so that caches behind it stay small.
 */
export function narrowClient(client: KubeClient, nodeName: string): KubeClient {
  return {
    get: (type, key) => client.get(type, key),
    async list<T extends KubeObject>(type: ResourceType<T>, options?: ListOptions) {
      const { items, resourceVersion } = await client.list(type, narrowed(type as ResourceType, nodeName, options));
      return { items: items.map(withoutManagers), resourceVersion };
    },
    watch<T extends KubeObject>(...[type, options, onEvent, onEnd]: Parameters<typeof client.watch<T>>): Watch {
      const { resourceVersion } = options;
      const narrow = { ...narrowed(type as ResourceType, nodeName, options), resourceVersion };
      const slim = (event: WatchEvent<T>): void => onEvent({ ...event, object: withoutManagers(event.object) });
      return client.watch(type, narrow, slim, onEnd);
    },
    create: (type, object, options) => client.create(type, object, options),
    update: (type, object, options) => client.update(type, object, options),
    patch: (type, key, patch, options) => client.patch(type, key, patch, options),
    delete: (type, key, options) => client.delete(type, key, options),
  };
}

function narrowed({ resource }: ResourceType, nodeName: string, options: ListOptions = {}): ListOptions {
  const { services, endpointSlices, nodes } = resources;
  if (resource === nodes.resource) return { ...options, fieldSelector: `metadata.name=${nodeName}` };
  if (resource === services.resource || resource === endpointSlices.resource)
    return { ...options, labelSelector: OURS };
  return options;
}

function withoutManagers<T extends KubeObject>(object: T): T {
  if (object.metadata?.managedFields === undefined) return object;
  const { managedFields: _, ...metadata } = object.metadata;
  return { ...object, metadata };
}
