import type { PatchType } from '../../kube/client.ts';
import type { KubeObject } from '../../kube/resources.ts';
import { ApiStatusError } from '../../kube/status.ts';
import type { DecodedObject, KindSchema } from '../schema/contract.ts';
import { invalid } from '../validation/field-errors.ts';
import { type ApiObject, isPlain, withMetadata } from './api-object.ts';
import type { WriteResult } from './create-object.ts';
import { badRequest, invalidObject, notFound } from './errors.ts';
import type { Machinery, RequestContext } from './machinery.ts';
import { managedChange } from './managed-change.ts';
import type { ServedResource } from './served-resource.ts';
import { updateObject, type WantedObject } from './update-object.ts';

export interface PatchRequest {
  readonly resource: ServedResource;
  readonly subresource: string;
  readonly namespace: string | undefined;
  readonly name: string;
  readonly context: RequestContext;
  readonly type: PatchType;
  /** Parsed JSON; for `apply` the decoded object. */
  readonly body: unknown;
  readonly applied?: DecodedObject | undefined;
  /** Server-side apply: take over fields of other managers. */
  readonly force: boolean;
}

/** Patches an object. Rejects with ApiStatusError as the real server does. */
export function patchObject(machinery: Machinery, request: PatchRequest): Promise<WriteResult> {
  const { resource, subresource, namespace, name, context, type } = request;
  const want = type === 'apply' ? applyConfiguration(machinery, request) : patched(machinery, request);
  const update = { resource, subresource, namespace, name, context, want };
  return updateObject(machinery, { ...update, createMissing: type === 'apply' });
}

/** Field validation as the request asked for it: strict errors are thrown, warnings sent. */
export function checkFields(
  { schemas }: Pick<Machinery, 'schemas'>,
  schema: KindSchema,
  { fieldErrors, warnings }: DecodedObject,
  { fieldValidation, warn }: RequestContext,
): void {
  if (fieldErrors.length === 0 || fieldValidation === 'Ignore') return;
  if (fieldValidation === 'Strict') throw schemas.strictError(schema, fieldErrors);
  for (const warning of warnings) warn(warning);
}

function patched(machinery: Machinery, request: PatchRequest): (live: KubeObject | undefined) => WantedObject {
  const { resource, context, name } = request;
  return (live) => {
    // Only server-side apply creates; a patch needs something to patch, also of kinds that PUT creates.
    if (live === undefined) throw notFound(resource.type, name);
    const result = applyPatch(machinery, request, live);
    if (!isPlain(result)) throw badRequest('the patch does not result in an object');
    const decoded = decodePatched(resource.schema, result);
    checkFields(machinery, resource.schema, decoded, context);
    return { object: decoded.object, tracked: false };
  };
}

// What a patch makes of an object is judged as a value of the patch, not as a body.
function decodePatched(schema: KindSchema, result: object): DecodedObject {
  try {
    return schema.decodeValue(result);
  } catch (error) {
    if (!(error instanceof ApiStatusError) || error.reason !== 'BadRequest') throw error;
    throw invalidObject({ group: '', kind: '' }, '', [invalid('patch', JSON.stringify(result), error.message)]);
  }
}

function applyPatch({ patches }: Machinery, { type, body, resource }: PatchRequest, live: KubeObject): unknown {
  if (type === 'json') return patches.json(live, body);
  if (!isPlain(body)) throw badRequest('the patch is not an object');
  if (type === 'merge') return patches.merge(live, body);
  return patches.strategic(live, body, resource.schema.node);
}

function applyConfiguration(
  machinery: Machinery,
  request: PatchRequest,
): (live: KubeObject | undefined) => WantedObject {
  const { resource, subresource, context, body, force, name, namespace } = request;
  // The applier owns what is written there, so that nothing is decoded or dropped before.
  const decoded = request.applied ?? { object: body as KubeObject, fieldErrors: [], warnings: [] };
  checkFields(machinery, resource.schema, decoded, context);
  const applied = named(resource, decoded.object, namespace, name);
  const change = managedChange(machinery, resource, subresource, context);
  return (live) => ({ object: machinery.patches.apply({ ...change, live, applied, force }), tracked: true });
}

function named(resource: ServedResource, object: ApiObject, namespace: string | undefined, name: string): ApiObject {
  const { metadata } = object;
  return withMetadata(object, {
    name: metadata?.name || name,
    ...(resource.type.namespaced ? { namespace: metadata?.namespace || namespace } : {}),
  });
}
