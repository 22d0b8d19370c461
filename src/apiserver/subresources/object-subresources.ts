import type { PatchType } from '../../kube/client.ts';
import type { Binding, Eviction, Scale } from '../../kube/generated/types.ts';
import type { KubeObject } from '../../kube/resources.ts';
import { ApiStatusError } from '../../kube/status.ts';
import { type ApiReply, type ApiRequest, valueReply } from '../http/api-request.ts';
import { parsePatchBody } from '../http/patch-body.ts';
import { readObject } from '../http/read-body.ts';
import { findEntry } from '../http/read-verbs.ts';
import type { ResourceRequestInfo } from '../http/request-info.ts';
import { readContext } from '../http/request-options.ts';
import { patchTypeOf } from '../http/write-verbs.ts';
import type { ApiObject } from '../machinery/api-object.ts';
import { badRequest } from '../machinery/errors.ts';
import type { Machinery, RequestContext } from '../machinery/machinery.ts';
import { storedObject } from '../machinery/stored-object.ts';
import { updateObject } from '../machinery/update-object.ts';
import type { KindSchema } from '../schema/contract.ts';
import { bindPod } from './binding.ts';
import { evictPod } from './eviction.ts';
import { type ScalePaths, scaleOf, withScale, workloadScale } from './scale.ts';
import type { SubresourceHandler, SubresourceRequest } from './subresource-hooks.ts';

/** 405 as the real server words it. */
export function methodNotAllowed(): ApiStatusError {
  return new ApiStatusError('MethodNotAllowed', 'the server does not allow this method on the requested resource', {});
}

/** The schema of a kind that the server itself needs. */
export function schemaOf({ schemas }: Machinery, group: string, version: string, kind: string): KindSchema {
  const schema = schemas.kind({ group, version, kind });
  if (schema) return schema;
  throw new ApiStatusError('InternalError', `${kind} in version "${version}" has no schema`);
}

const success = (status: number): ApiReply =>
  valueReply(status, { kind: 'Status', apiVersion: 'v1', metadata: {}, status: 'Success', code: status });

/** POST pods/NAME/eviction. */
export const evictionHandler: SubresourceHandler = async ({ machinery, resource, info, request }) => {
  if (info.verb !== 'create') throw methodNotAllowed();
  const context = readContext(request, 'CreateOptions');
  const eviction = readObject(machinery, schemaOf(machinery, 'policy', 'v1', 'Eviction'), request, context) as Eviction;
  const { namespace = '', name = '' } = info;
  const dryRun = eviction.deleteOptions?.dryRun?.length ? true : context.dryRun;
  await evictPod(machinery, { pods: resource, namespace, name, eviction, context: { ...context, dryRun } });
  return success(201);
};

/** POST pods/NAME/binding. */
export const bindingHandler: SubresourceHandler = async ({ machinery, resource, info, request }) => {
  if (info.verb !== 'create') throw methodNotAllowed();
  const context = readContext(request, 'CreateOptions');
  const binding = readObject(machinery, schemaOf(machinery, '', 'v1', 'Binding'), request, context) as Binding;
  const { namespace = '', name = '' } = info;
  await bindPod(machinery, { pods: resource, namespace, name, binding, context });
  return success(201);
};

/** POST of a Binding to the collection `bindings`: the pod is named in it. */
export function bindingsHandler(machinery: Machinery) {
  return async ({ namespace = '' }: ResourceRequestInfo, request: ApiRequest): Promise<ApiReply> => {
    const context = readContext(request, 'CreateOptions');
    const binding = readObject(machinery, schemaOf(machinery, '', 'v1', 'Binding'), request, context) as Binding;
    const pods = machinery.registry.find('', 'v1', 'pods')!;
    await bindPod(machinery, { pods, namespace, name: binding.metadata?.name ?? '', binding, context });
    return success(201);
  };
}

/** GET, PUT and PATCH of a Scale; `pathsOf` says where the kind keeps its numbers. */
export function scaleHandler(
  pathsOf: (request: SubresourceRequest) => ScalePaths = () => workloadScale,
): SubresourceHandler {
  return async (scaleRequest) => {
    const { machinery, resource, info, request } = scaleRequest;
    const paths = pathsOf(scaleRequest);
    const { verb, namespace, name = '' } = info;
    if (verb === 'get')
      return valueReply(200, scaleOf(storedObject(await findEntry(machinery, resource, info)), paths));
    if (verb !== 'update' && verb !== 'patch') throw methodNotAllowed();
    const type = verb === 'patch' ? patchTypeOf(request, resource) : undefined;
    const context = readContext(request, verb === 'patch' ? 'PatchOptions' : 'UpdateOptions', type === 'apply');
    const wanted = wantedScale(scaleRequest, context, type, paths);
    const want = (live: KubeObject | undefined) => ({
      object: withScale(live!, wanted(live as ApiObject), paths),
      tracked: false,
    });
    const result = await updateObject(machinery, { resource, subresource: 'scale', namespace, name, context, want });
    return valueReply(200, scaleOf(result.object, paths));
  };
}

function wantedScale(
  { machinery, request, info }: SubresourceRequest,
  context: RequestContext,
  type: PatchType | undefined,
  paths: ScalePaths,
): (live: ApiObject) => Scale {
  const schema = schemaOf(machinery, 'autoscaling', 'v1', 'Scale');
  if (type === undefined) {
    const scale = readObject(machinery, schema, request, context) as Scale;
    if (scale.metadata?.name !== info.name) {
      const given = scale.metadata?.name ?? '';
      throw badRequest(`the name of the object (${given}) does not match the name on the URL (${info.name})`);
    }
    return () => scale;
  }
  const applied = type === 'apply' ? schema.decode(request.body, 'yaml').object : undefined;
  const body = applied === undefined ? parsePatchBody(request.body) : undefined;
  return (live) => {
    const scale = scaleOf(live, paths);
    if (applied) return { ...scale, spec: { ...scale.spec, ...(applied as Scale).spec } };
    const { json, merge, strategic } = machinery.patches;
    const patched =
      type === 'json' ? json(scale, body) : type === 'merge' ? merge(scale, body) : strategic(scale, body, schema.node);
    return schema.decodeValue(patched).object as Scale;
  };
}
