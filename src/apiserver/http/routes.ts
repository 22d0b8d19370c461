import { ApiStatusError } from '../../kube/status.ts';
import { jsonWebKeySet } from '../access/json-web-token.ts';
import { reviewHandlers } from '../access/reviews.ts';
import { Discovery } from '../discovery/discovery.ts';
import { createOpenApi } from '../discovery/open-api.ts';
import { dumpPriorityLevels } from '../flowcontrol/dump-priority-levels.ts';
import type { FlowControl } from '../flowcontrol/flow-control.ts';
import { noSuchResource } from '../machinery/errors.ts';
import type { ServerParts } from '../server-parts.ts';
import { logHandler } from '../streaming/logs.ts';
import { portForwardHandler } from '../streaming/port-forward.ts';
import { remoteCommandHandler } from '../streaming/remote-command.ts';
import {
  bindingHandler,
  bindingsHandler,
  evictionHandler,
  methodNotAllowed,
  scaleHandler,
} from '../subresources/object-subresources.ts';
import { workloadScale } from '../subresources/scale.ts';
import type { SubresourceHandler, SubresourceHandlers } from '../subresources/subresource-hooks.ts';
import { tokenHandler } from '../subresources/token.ts';
import { type ApiReply, type ApiRequest, textReply, valueReply } from './api-request.ts';
import { type DispatchOptions, dispatchResource, pageNotFound } from './dispatch.ts';
import { healthReply } from './health.ts';
import type { PathRequestInfo, RequestInfo } from './request-info.ts';
import { versionInfo } from './version-info.ts';

/** Answers an authorized request. Rejects with ApiStatusError. */
export type Routes = (info: RequestInfo, request: ApiRequest) => Promise<ApiReply>;

type PathHandler = (info: PathRequestInfo, request: ApiRequest) => ApiReply | undefined;

/** What is told of the server itself. */
export interface ToldPages {
  readonly printMetrics: () => string;
  readonly flowControl: FlowControl;
}

/** Everything that the server answers. */
export function createRoutes(parts: ServerParts, told: ToldPages): Routes {
  const { machinery } = parts;
  const dispatch: DispatchOptions = {
    machinery,
    subresources: subresourceHandlers(parts),
    virtual: { ...reviewHandlers(parts), '/v1/bindings': bindingsHandler(machinery) },
  };
  const paths = pathHandlers(parts, told);
  return async (info, request) => {
    if (info.type === 'resource') return dispatchResource(dispatch, info, request);
    if (info.verb !== 'get' && info.verb !== 'head') throw methodNotAllowed();
    for (const handler of paths) {
      const reply = handler(info, request);
      if (reply) return reply;
    }
    if (isBelowServed(machinery, info.path)) throw noSuchResource();
    return pageNotFound();
  };
}

function isBelowServed({ registry }: ServerParts['machinery'], path: string): boolean {
  const [root, group] = path.split('/').slice(1);
  return (
    root === 'api' || (root === 'apis' && registry.all().some(({ type }) => type.group !== '' && type.group === group))
  );
}

const withoutKubelet: SubresourceHandler = async () => {
  throw new ApiStatusError('ServiceUnavailable', 'this server knows no kubelets');
};

function subresourceHandlers({ kubelet, proxy, admitsLoopback, tokens, custom }: ServerParts): SubresourceHandlers {
  const proxied: SubresourceHandler = async (request) => {
    const { proxyHandler } = await import('../proxying/proxy-handler.ts');
    return proxyHandler({ proxy, admitsLoopback, kubelet })(request);
  };
  return {
    '/pods/proxy': proxied,
    '/services/proxy': proxied,
    '/nodes/proxy': proxied,
    '/pods/eviction': evictionHandler,
    '/pods/binding': bindingHandler,
    '/serviceaccounts/token': tokenHandler(tokens),
    '*/scale': scaleHandler(({ resource }) => custom.find(resource.type)?.scale ?? workloadScale),
    '/pods/log': kubelet ? logHandler(kubelet) : withoutKubelet,
    '/pods/exec': kubelet ? remoteCommandHandler('exec', kubelet) : withoutKubelet,
    '/pods/attach': kubelet ? remoteCommandHandler('attach', kubelet) : withoutKubelet,
    '/pods/portforward': kubelet ? portForwardHandler(kubelet) : withoutKubelet,
  };
}

function pathHandlers(
  { machinery, gitVersion, checks, tokens }: ServerParts,
  { printMetrics, flowControl }: ToldPages,
): readonly PathHandler[] {
  const discovery = new Discovery(machinery, () => '127.0.0.1:6443');
  const openApi = createOpenApi(machinery, discovery);
  const fixed: Readonly<Record<string, () => ApiReply>> = {
    '/metrics': () => metricsReply(printMetrics()),
    '/debug/api_priority_and_fairness/dump_priority_levels': () =>
      textReply(200, dumpPriorityLevels(flowControl.levels)),
    '/version': () => valueReply(200, versionInfo(gitVersion)),
    '/.well-known/openid-configuration': () => valueReply(200, issuerConfiguration(tokens.issuer)),
    '/openid/v1/jwks': () => valueReply(200, jsonWebKeySet(tokens.key)),
    '/': () => valueReply(200, { paths: rootPaths(discovery) }),
  };
  return [
    ({ path }) => fixed[path.length > 1 && path.endsWith('/') ? path.slice(0, -1) : path]?.(),
    ({ path }, { query }) => healthReply(path, query, checks),
    (_info, request) => discovery.reply(request),
    (_info, request) => openApi(request),
  ];
}

function metricsReply(text: string): ApiReply {
  const headers = { 'content-type': 'text/plain; version=0.0.4; charset=utf-8' };
  return { type: 'body', status: 200, headers, parts: [Buffer.from(text)] };
}

function issuerConfiguration(issuer: string): object {
  return {
    issuer,
    jwks_uri: `${issuer}/openid/v1/jwks`,
    response_types_supported: ['id_token'],
    subject_types_supported: ['public'],
    id_token_signing_alg_values_supported: ['ES256'],
  };
}

function rootPaths(discovery: Discovery): string[] {
  const groups = new Set<string>();
  for (const { group, version } of discovery.versions()) {
    if (group === '') continue;
    groups.add(`/apis/${group}`).add(`/apis/${group}/${version}`);
  }
  const fixed = [
    '/.well-known/openid-configuration',
    '/api',
    '/api/v1',
    '/apis',
    '/healthz',
    '/livez',
    '/metrics',
    '/openapi/v2',
    '/openapi/v3',
    '/openid/v1/jwks',
    '/readyz',
    '/version',
  ];
  return [...fixed, ...groups].sort();
}
