import type { ApiReply, ApiRequest } from '../http/api-request.ts';
import type { ResourceRequestInfo } from '../http/request-info.ts';
import type { Machinery } from '../machinery/machinery.ts';
import type { ServedResource } from '../machinery/served-resource.ts';

/** A request to one subresource. */
export interface SubresourceRequest {
  readonly machinery: Machinery;
  readonly resource: ServedResource;
  readonly info: ResourceRequestInfo;
  readonly request: ApiRequest;
}

/** Answers a subresource; verbs that it does not have reject with MethodNotAllowed. */
export type SubresourceHandler = (request: SubresourceRequest) => Promise<ApiReply>;

/** Handlers of subresources that are not the object itself, by `group/resource/subresource`, or `*` for every resource. */
export type SubresourceHandlers = Readonly<Record<string, SubresourceHandler>>;
