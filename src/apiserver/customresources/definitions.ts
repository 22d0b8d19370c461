import type { CustomResourceDefinition } from '../../kube/generated/types.ts';
import type { ResourceType } from '../../kube/resources.ts';
import type { Machinery } from '../machinery/machinery.ts';
import type { SchemaCatalog } from '../schema/schema-catalog.ts';

/** `apiextensions.k8s.io/v1 CustomResourceDefinition`. */
export const definitions: ResourceType<CustomResourceDefinition> = {
  group: 'apiextensions.k8s.io',
  version: 'v1',
  resource: 'customresourcedefinitions',
  kind: 'CustomResourceDefinition',
  namespaced: false,
};

export interface CustomResourcesOptions {
  readonly machinery: Machinery;
  readonly catalog: SchemaCatalog;
  /** Told of work that failed and is done again with the definition's next change. */
  readonly onError: (error: unknown) => void;
}
