import { UserError } from '../../errors/towtank-error.ts';
import type { KubeClient } from '../../kube/client.ts';
import type { KubeObject, ResourceType } from '../../kube/resources.ts';
import { isReason } from '../../kube/status.ts';
import type { ApplyResult } from '../control/protocol.ts';
import type { Manifest } from './parse-manifests.ts';

/** Finds the type that serves a kind, custom kinds included; undefined when none does. */
export type FindType = (apiVersion: string, kind: string) => ResourceType | undefined;

/** Applies manifests in order, as `kubectl apply --server-side --force-conflicts` does. Nothing is applied when a kind is not served. */
export async function applyManifests(
  client: KubeClient,
  findType: FindType,
  manifests: readonly Manifest[],
): Promise<readonly ApplyResult[]> {
  const results: ApplyResult[] = [];
  let pending = manifests;
  // A custom kind is served once its definition, which may stand before it in the same text, has been applied.
  while (pending.length > 0) {
    const known = pending.findIndex(({ apiVersion, kind }) => findType(apiVersion, kind) === undefined);
    const ready = known === -1 ? pending : pending.slice(0, known);
    if (ready.length === 0 || (known !== -1 && !ready.some(({ kind }) => kind === 'CustomResourceDefinition')))
      throw unknownKind(pending[known]!);
    for (const manifest of ready)
      results.push(await applyOne(client, findType(manifest.apiVersion, manifest.kind)!, manifest));
    pending = pending.slice(ready.length);
  }
  return results;
}

async function applyOne(client: KubeClient, type: ResourceType, manifest: Manifest): Promise<ApplyResult> {
  const name = manifest.metadata?.name ?? '';
  const namespace = type.namespaced ? (manifest.metadata?.namespace ?? 'default') : undefined;
  const key = { namespace, name };
  const before = await existing(client, type, key);
  const after = await client.patch(
    type,
    key,
    { type: 'apply', body: manifest, force: true },
    { fieldManager: 'towtank' },
  );
  const outcome =
    before === undefined
      ? 'created'
      : before.metadata?.resourceVersion === after.metadata?.resourceVersion
        ? 'unchanged'
        : 'configured';
  return { kind: manifest.kind, namespace, name, outcome };
}

async function existing(
  client: KubeClient,
  type: ResourceType,
  key: { namespace: string | undefined; name: string },
): Promise<KubeObject | undefined> {
  try {
    return await client.get(type, key);
  } catch (error) {
    if (isReason(error, 'NotFound')) return undefined;
    throw error;
  }
}

function unknownKind({ apiVersion, kind, metadata }: Manifest): UserError {
  return new UserError({
    code: 'ERR_INVALID_MANIFEST',
    message: `${kind} ${metadata?.name}: no matches for kind "${kind}" in version "${apiVersion}"`,
    hint: 'kubectl api-resources lists what is served; the definition of a custom kind has to come first',
  });
}
