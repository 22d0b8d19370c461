import type { CustomResourceDefinition } from '../../kube/generated/types.ts';
import type { KubeObject, ResourceType } from '../../kube/resources.ts';
import { isReason } from '../../kube/status.ts';
import { sameValue, withMetadata } from '../machinery/api-object.ts';
import { deleteObject } from '../machinery/delete-object.ts';
import { type RequestContext, timestamp } from '../machinery/machinery.ts';
import { prefixOf } from '../machinery/object-keys.ts';
import { storedObject } from '../machinery/stored-object.ts';
import { updateObject } from '../machinery/update-object.ts';
import { acceptNames } from './accept-names.ts';
import { approvalOf } from './approve-group.ts';
import { buildCustomResources, type CustomResource } from './build-custom-resources.ts';
import { hasCondition, withCondition } from './conditions.ts';
import { CLEANUP_FINALIZER } from './definition-strategy.ts';
import { type CustomResourcesOptions, definitions } from './definitions.ts';

const context: RequestContext = {
  caller: { name: 'system:apiserver', groups: ['system:masters'] },
  manager: 'kube-apiserver',
  dryRun: false,
  fieldValidation: 'Ignore',
  warn: () => {},
};

interface Served {
  readonly definition: CustomResourceDefinition;
  readonly resources: readonly CustomResource[];
}

/** What the definitions in the store define, served from the moment that they are established. */
export class ServedDefinitions {
  readonly #options: CustomResourcesOptions;
  readonly #served = new Map<string, Served>();
  readonly #busy = new Set<string>();
  readonly #again = new Set<string>();

  constructor(options: CustomResourcesOptions) {
    this.#options = options;
  }

  /** Serves what is in the store now, and no more what is not. */
  syncAll(): void {
    const prefix = prefixOf(definitions);
    const { items } = this.#options.machinery.store.range(prefix);
    const names = items.map(({ key }) => key.slice(prefix.length));
    for (const name of new Set([...this.#served.keys(), ...names])) this.sync(name);
  }

  /** The resource as its definition has it; undefined for built-in ones. */
  find({ group, version, resource }: ResourceType): CustomResource | undefined {
    const served = this.#served.get(`${resource}.${group}`);
    return served?.resources.find(({ type }) => type.version === version);
  }

  /** Serves one definition as it stands in the store now, and brings its status up to date. */
  sync(name: string): void {
    const definition = this.#options.machinery.reader.get(definitions, { name });
    this.#serve(name, definition);
    if (definition === undefined) {
      this.#syncWaiting(name);
      return;
    }
    if (this.#busy.has(name)) this.#again.add(name);
    else void this.#reconcile(name);
  }

  // What is served changes at once, so that a client that saw Established finds the resource.
  #serve(name: string, definition: CustomResourceDefinition | undefined): void {
    const { machinery, catalog } = this.#options;
    const before = this.#served.get(name);
    const established = definition !== undefined && hasCondition(definition, 'Established');
    if (before && established && isServedAlike(before.definition, definition)) return;
    const resources = established ? this.#resourcesOf(definition) : [];
    if (before) {
      for (const { schema } of before.resources) catalog.remove(schema);
      machinery.registry.remove(before.resources);
      this.#served.delete(name);
    }
    if (resources.length === 0) return;
    for (const { schema } of resources) catalog.add(schema);
    this.#served.set(name, { definition: definition!, resources });
    machinery.registry.add(resources);
  }

  // Names that became free may be what others of the group wait for.
  #syncWaiting(freed: string): void {
    const group = freed.slice(freed.indexOf('.') + 1);
    for (const definition of this.#options.machinery.reader.list(definitions)) {
      const isWaiting = definition.spec.group === group && !hasCondition(definition, 'NamesAccepted');
      if (isWaiting) this.sync(definition.metadata?.name ?? '');
    }
  }

  // A definition cannot take the place of what is built in.
  #resourcesOf(definition: CustomResourceDefinition): readonly CustomResource[] {
    const { registry } = this.#options.machinery;
    return buildCustomResources(definition).filter(({ type: { group, version, resource } }) => {
      const known = registry.find(group, version, resource);
      return known === undefined || known.schema.custom;
    });
  }

  async #reconcile(name: string): Promise<void> {
    this.#busy.add(name);
    try {
      do {
        this.#again.delete(name);
        const definition = this.#options.machinery.reader.get(definitions, { name });
        if (definition?.metadata?.deletionTimestamp !== undefined) await this.#cleanUp(definition);
        else if (definition) await this.#establish(definition);
      } while (this.#again.has(name));
    } catch (error) {
      if (!isReason(error, 'NotFound')) this.#options.onError(error);
    } finally {
      this.#busy.delete(name);
    }
  }

  async #establish(definition: CustomResourceDefinition): Promise<void> {
    const { machinery } = this.#options;
    const now = timestamp(machinery.clock);
    const { name = '' } = definition.metadata ?? {};
    const named = acceptNames(definition, machinery.reader.list(definitions), now);
    const approval = approvalOf(definition);
    const next = approval ? withCondition(named, approval, now) : named;
    if (sameValue(next.status, definition.status)) return;
    await this.#write(definition, 'status', (live) => ({ ...live, status: { ...live.status, ...next.status } }));
    if (!sameValue(next.status?.acceptedNames, definition.status?.acceptedNames)) this.#syncWaiting(name);
  }

  async #cleanUp(definition: CustomResourceDefinition): Promise<void> {
    const { machinery } = this.#options;
    const { finalizers = [], name = '' } = definition.metadata ?? {};
    if (!finalizers.includes(CLEANUP_FINALIZER)) return;
    const [resource] = this.#served.get(name)?.resources ?? [];
    if (resource) {
      for (const entry of machinery.store.range(resource.stored.prefix).items)
        await this.#deleteInstance(resource, storedObject(entry));
      // Instances with finalizers go later: their last event brings us back.
      if (machinery.store.count(resource.stored.prefix) > 0) {
        this.#waitUntilEmpty(resource.stored.prefix, name);
        return;
      }
    }
    const done = {
      type: 'Terminating',
      status: 'False',
      reason: 'InstanceDeletionCompleted',
      message: 'removed all instances',
    };
    await this.#write(definition, 'status', (live) => withCondition(live, done, timestamp(machinery.clock)));
    await this.#write(definition, '', (live) =>
      withMetadata(live, {
        finalizers: live.metadata?.finalizers?.filter((finalizer) => finalizer !== CLEANUP_FINALIZER),
      }),
    );
  }

  #waitUntilEmpty(prefix: string, name: string): void {
    const { store } = this.#options.machinery;
    const watch = store.watch({
      prefix,
      onEvents: () => {
        if (store.count(prefix) > 0) return;
        watch.close();
        this.sync(name);
      },
      onEnd: () => {},
    });
  }

  async #deleteInstance(resource: CustomResource, { metadata }: KubeObject): Promise<void> {
    const { machinery } = this.#options;
    const { namespace, name = '' } = metadata ?? {};
    try {
      await deleteObject(machinery, { resource, namespace, name, options: {}, context });
    } catch (error) {
      // Somebody else was quicker.
      if (!isReason(error, 'NotFound')) throw error;
    }
  }

  async #write(
    { metadata }: CustomResourceDefinition,
    subresource: string,
    change: (live: CustomResourceDefinition) => CustomResourceDefinition,
  ): Promise<void> {
    const { machinery } = this.#options;
    const resource = machinery.registry.find(definitions.group, definitions.version, definitions.resource)!;
    const name = metadata?.name ?? '';
    const want = (live: KubeObject | undefined) => ({
      object: change(live as CustomResourceDefinition),
      tracked: false,
    });
    await updateObject(machinery, { resource, subresource, namespace: undefined, name, context, want });
  }
}

// Of the metadata only a deletion changes what is served: nothing can be created any more.
function isServedAlike(a: CustomResourceDefinition, b: CustomResourceDefinition): boolean {
  const isDeleted = ({ metadata }: CustomResourceDefinition): boolean => metadata?.deletionTimestamp !== undefined;
  return isDeleted(a) === isDeleted(b) && sameValue(a.spec, b.spec);
}
