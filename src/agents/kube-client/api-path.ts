import { apiVersionOf, type ResourceType } from '../../kube/resources.ts';

/** Which object, or collection, a request is about. */
export interface ApiTarget {
  readonly namespace?: string | undefined;
  readonly name?: string | undefined;
  readonly subresource?: string | undefined;
}

/** `/apis/apps/v1/namespaces/default/deployments/web/scale`. */
export function apiPath(type: ResourceType, { namespace, name, subresource }: ApiTarget = {}): string {
  const parts = [type.group === '' ? 'api' : 'apis', ...apiVersionOf(type).split('/')];
  if (type.namespaced && namespace !== undefined) parts.push('namespaces', namespace);
  parts.push(type.resource);
  if (name !== undefined) parts.push(name);
  if (subresource !== undefined) parts.push(subresource);
  return `/${parts.map(encodeURIComponent).join('/')}`;
}

/** The query of a request; what is undefined or '' is left out. */
export function apiQuery(parameters: Readonly<Record<string, string | number | boolean | undefined>>): string {
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(parameters)) {
    if (value !== undefined && value !== '' && value !== false) query.set(name, String(value));
  }
  const text = query.toString();
  return text === '' ? '' : `?${text}`;
}
