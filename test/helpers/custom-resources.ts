import type { KubeClient } from '../../src/kube/client.ts';
import type { CustomResourceDefinition, CustomResourceDefinitionVersion } from '../../src/kube/generated/types.ts';
import type { KubeObject, ResourceType } from '../../src/kube/resources.ts';
import { untilObject } from './until-object.ts';

export const definitions: ResourceType<CustomResourceDefinition> = {
  group: 'apiextensions.k8s.io',
  version: 'v1',
  resource: 'customresourcedefinitions',
  kind: 'CustomResourceDefinition',
  namespaced: false,
};

/** An object of the kind that `buildDefinition` defines. */
export interface Boat extends KubeObject {
  readonly spec?: Readonly<Record<string, unknown>>;
  readonly status?: Readonly<Record<string, unknown>>;
}

export const boats: ResourceType<Boat> = {
  group: 'tow.example.com',
  version: 'v1',
  resource: 'boats',
  kind: 'Boat',
  namespaced: true,
};

/** A version that keeps everything, unless a schema is given. */
export function buildVersion(version: Partial<CustomResourceDefinitionVersion> = {}): CustomResourceDefinitionVersion {
  const openAPIV3Schema = { type: 'object', 'x-kubernetes-preserve-unknown-fields': true };
  return { name: 'v1', served: true, storage: true, schema: { openAPIV3Schema }, ...version };
}

/** A CustomResourceDefinition of boats. */
export function buildDefinition(
  spec: Partial<CustomResourceDefinition['spec']> = {},
  name = 'boats.tow.example.com',
): CustomResourceDefinition {
  return {
    metadata: { name },
    spec: {
      group: 'tow.example.com',
      scope: 'Namespaced',
      names: { plural: 'boats', kind: 'Boat' },
      versions: [buildVersion()],
      ...spec,
    },
  };
}

/** Creates a definition and waits until its objects can be. */
export async function define(client: KubeClient, definition = buildDefinition()): Promise<void> {
  await client.create(definitions, definition);
  const name = definition.metadata?.name ?? '';
  await untilObject(client, definitions, { name }, (current) => current !== undefined && isEstablished(current));
}

/** True when the definition's kind is served. */
export function isEstablished({ status }: CustomResourceDefinition): boolean {
  return status?.conditions?.some(({ type, status: is }) => type === 'Established' && is === 'True') ?? false;
}
