import type { KubeClient, Watch, WatchEvent } from '../../kube/client.ts';
import type { KubeObject, ResourceType } from '../../kube/resources.ts';
import { slimObject } from './slim-object.ts';

/** A client whose lists and watches bring only what DNS reads of each object, so that caches behind it stay small. */
export function slimClient(client: KubeClient): KubeClient {
  return {
    get: (type, key) => client.get(type, key),
    async list<T extends KubeObject>(type: ResourceType<T>, options?: Parameters<KubeClient['list']>[1]) {
      const { items, resourceVersion } = await client.list(type, options);
      return { items: items.map((item) => slimObject(item, type.kind)), resourceVersion };
    },
    watch<T extends KubeObject>(...[type, options, onEvent, onEnd]: Parameters<typeof client.watch<T>>): Watch {
      const slim = (event: WatchEvent<T>): void => {
        const whole = event.type === 'BOOKMARK' || event.type === 'ERROR';
        onEvent(whole ? event : { type: event.type, object: slimObject(event.object, type.kind) });
      };
      return client.watch(type, options, slim, onEnd);
    },
    create: (type, object, options) => client.create(type, object, options),
    update: (type, object, options) => client.update(type, object, options),
    patch: (type, key, patch, options) => client.patch(type, key, patch, options),
    delete: (type, key, options) => client.delete(type, key, options),
  };
}
