import { type ApiObject, sameValue, withFields, withMetadata } from '../machinery/api-object.ts';
import type { Strategy, UpdateStrategy } from '../machinery/strategy.ts';
import type { FieldCause } from '../schema/contract.ts';
import { dns1123Subdomain } from '../validation/names.ts';

/** Raises metadata.generation when the spec changed. */
export function raiseGeneration<T extends ApiObject>(
  object: T,
  live: T,
  changed = !sameValue(object.spec, live.spec),
): T {
  return changed ? withMetadata(object, { generation: (live.metadata?.generation ?? 0) + 1 }) : object;
}

/** Puts back the status, which only its own subresource writes. */
export function keepStatus<T extends ApiObject>(object: T, live: T): T {
  return withFields(object, { status: live.status });
}

/** The status subresource as most kinds have it: it leaves the spec alone, not the metadata. */
export const statusUpdate = <T extends ApiObject>(): UpdateStrategy<T> => ({
  prepare: (object, live) => withFields(object, { spec: live.spec }),
});

/** A kind with spec and status: status apart, generation counts changes of the spec. */
export const specStatusUpdate = <T extends ApiObject>(): UpdateStrategy<T> => ({
  prepare: (object, live) => raiseGeneration(keepStatus(object, live), live),
});

/** A kind whose status is apart but that has no generation. */
export const keepStatusUpdate = <T extends ApiObject>(): UpdateStrategy<T> => ({
  prepare: keepStatus,
});

/** A kind without status whose generation counts changes of anything but metadata. */
export const contentUpdate = <T extends ApiObject>(): UpdateStrategy<T> => ({
  prepare: (object, live) => raiseGeneration(object, live, !sameValue(content(object), content(live))),
});

const content = (object: ApiObject): unknown => ({ ...object, metadata: undefined });

const plainUpdate: UpdateStrategy = { prepare: (object) => object };

const defaults: Strategy = {
  name: dns1123Subdomain,
  update: plainUpdate,
  subresources: {},
  generation: false,
  createOnUpdate: false,
  unconditionalUpdate: true,
  returnsDeleted: false,
  garbageCollection: true,
};

/** A strategy of which only what is particular is said. */
export function defineStrategy<T extends ApiObject>(particular: Partial<Strategy<T>> = {}): Strategy {
  return { ...defaults, ...(particular as unknown as Partial<Strategy>) };
}

/** The strategy with a rule for whole objects, which holds for new ones and for every update. */
export function validated<T extends ApiObject>(
  strategy: Strategy,
  validate: (object: T) => readonly FieldCause[],
): Strategy {
  const rule = validate as unknown as (object: ApiObject) => readonly FieldCause[];
  const { update } = strategy;
  return {
    ...strategy,
    validate: (object, context) => [...(strategy.validate?.(object, context) ?? []), ...rule(object)],
    update: {
      ...update,
      validate: (object, live, context) => [...(update.validate?.(object, live, context) ?? []), ...rule(object)],
    },
  };
}
