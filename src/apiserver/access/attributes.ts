import { ApiStatusError } from '../../kube/status.ts';
import type { RequestInfo } from '../http/request-info.ts';
import { forbiddenError } from '../machinery/errors.ts';
import type { Caller } from '../machinery/strategy.ts';

/** What a caller wants to do, as authorizers judge it. */
export type Attributes =
  | {
      readonly type: 'resource';
      readonly verb: string;
      readonly group: string;
      readonly resource: string;
      readonly subresource: string;
      /** '' for the whole cluster. */
      readonly namespace: string;
      readonly name: string;
    }
  | { readonly type: 'path'; readonly verb: string; readonly path: string };

/** Decides who may do what. Synchronous: everything it needs is in memory. */
export interface Authorizer {
  allows(caller: Caller, attributes: Attributes): boolean;
}

/** Attributes of a request. */
export function attributesOf(info: RequestInfo): Attributes {
  const verb = info.verb === 'head' ? 'get' : info.verb;
  if (info.type === 'path') return { type: 'path', verb, path: info.path };
  const { group, resource, subresource, namespace = '', name = '' } = info;
  return { type: 'resource', verb, group, resource, subresource, namespace, name };
}

/** 403 that says who may not do what. */
export function forbiddenTo(caller: Caller, attributes: Attributes): ApiStatusError {
  const user = `User ${JSON.stringify(caller.name)} cannot ${attributes.verb}`;
  if (attributes.type === 'path') {
    return new ApiStatusError(
      'Forbidden',
      escapeHtml(`forbidden: ${user} path ${JSON.stringify(attributes.path)}`),
      {},
    );
  }
  const { group, resource, subresource, namespace, name } = attributes;
  const what = subresource === '' ? resource : `${resource}/${subresource}`;
  const where = namespace === '' ? 'at the cluster scope' : `in the namespace ${JSON.stringify(namespace)}`;
  const text = `${user} resource ${JSON.stringify(what)} in API group ${JSON.stringify(group)} ${where}`;
  return forbiddenError({ group, resource }, name, escapeHtml(text));
}

function escapeHtml(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
}
