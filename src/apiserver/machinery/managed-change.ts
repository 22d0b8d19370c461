import { apiVersionOf, type KubeObject } from '../../kube/resources.ts';
import type { ManagedChange } from '../patch/contract.ts';
import { type Machinery, type RequestContext, timestamp } from './machinery.ts';
import type { ServedResource } from './served-resource.ts';

/** Who writes what, as the bookkeeping of managedFields asks. */
export function managedChange(
  machinery: Machinery,
  resource: ServedResource,
  subresource: string,
  { manager }: RequestContext,
): Omit<ManagedChange, 'live'> {
  const { schema, stored } = resource;
  const writer = { manager, subresource, time: timestamp(machinery.clock) };
  const convert = (object: KubeObject, apiVersion: string) => {
    const other = machinery.registry
      .all()
      .find((candidate) => candidate.stored === stored && apiVersionOf(candidate.type) === apiVersion);
    if (!other) return undefined;
    const internal = resource.conversion?.toStored(object) ?? object;
    return { object: other.conversion?.fromStored(internal) ?? internal, node: other.schema.node };
  };
  return { schema, writer, convert };
}
