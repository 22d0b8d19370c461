import type { RbacAuthorizer } from './access/rbac-authorizer.ts';
import type { ApiServerOptions } from './api-server-options.ts';
import { buildResources } from './kinds/build-resources.ts';
import { kindRows } from './kinds/kind-table.ts';
import { LeasePool } from './machinery/lease-pool.ts';
import { ListSegments } from './machinery/list-segments.ts';
import { createReader, type Machinery } from './machinery/machinery.ts';
import { ResourceRegistry } from './machinery/resource-registry.ts';
import { applyJsonPatch } from './patch/json-patch.ts';
import { applyMergePatch } from './patch/merge-patch.ts';
import { serverSideApply } from './patch/server-side-apply.ts';
import { applyStrategicMergePatch } from './patch/strategic-merge-patch.ts';
import { trackUpdate } from './patch/track-update.ts';
import type { SchemaCatalog } from './schema/schema-catalog.ts';

/** Joins store, schemas, patches and the built-in kinds. `authorizer` is asked for when a role is written. */
export function createMachinery(
  { store, clock, random, allocator, admitsLoopback }: ApiServerOptions,
  schemas: SchemaCatalog,
  authorizer: () => RbacAuthorizer,
): Machinery {
  const registry = new ResourceRegistry();
  registry.add(buildResources(schemas, kindRows({ allocator, store, admitsLoopback, authorizer })));
  return {
    store,
    registry,
    schemas,
    patches: {
      json: applyJsonPatch,
      merge: applyMergePatch,
      strategic: applyStrategicMergePatch,
      apply: serverSideApply,
      trackUpdate,
    },
    clock,
    random,
    reader: createReader(store),
    leases: new LeasePool(store, clock),
    segments: new ListSegments(),
  };
}
