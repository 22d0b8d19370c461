import type { IncomingHttpHeaders, IncomingMessage } from 'node:http';
import { badRequest } from '../machinery/errors.ts';
import type { Caller } from '../machinery/strategy.ts';
import { type Attributes, type Authorizer, forbiddenTo } from './attributes.ts';
import { serviceAccountGroups, splitServiceAccountName } from './service-account-name.ts';

const AUTHENTICATED = 'system:authenticated';
const UNAUTHENTICATED = 'system:unauthenticated';
const ANONYMOUS = 'system:anonymous';
const EXTRA = 'impersonate-extra-';

/** The user that a request acts as: the caller, or whom its Impersonate headers name if the caller may. Throws 400 or 403. */
export function actingCaller(authorizer: Authorizer, caller: Caller, request: IncomingMessage): Caller {
  const { headers } = request;
  if (!mentionsImpersonation(headers)) return caller;
  const user = single(headers['impersonate-user']);
  const uid = single(headers['impersonate-uid']);
  const groups = valuesOf(request, 'impersonate-group');
  const extra = extraOf(request);
  if (user === '') {
    if (groups.length + Object.keys(extra).length === 0 && uid === '') return caller;
    throw badRequest(`requested ${JSON.stringify({ groups, extra, uid })} without impersonating a user`);
  }
  const check = (attributes: Partial<Extract<Attributes, { type: 'resource' }>>): void => {
    const full = {
      type: 'resource',
      verb: 'impersonate',
      group: '',
      resource: '',
      subresource: '',
      namespace: '',
      name: '',
      ...attributes,
    } as const;
    if (!authorizer.allows(caller, full)) throw forbiddenTo(caller, full);
  };
  const account = splitServiceAccountName(user);
  if (account) check({ resource: 'serviceaccounts', ...account });
  else check({ resource: 'users', name: user });
  for (const name of groups) check({ resource: 'groups', name });
  for (const [subresource, values] of Object.entries(extra)) {
    for (const name of values) check({ group: 'authentication.k8s.io', resource: 'userextras', subresource, name });
  }
  if (uid !== '') check({ group: 'authentication.k8s.io', resource: 'uids', name: uid });
  const given = groups.length === 0 && account ? serviceAccountGroups(account.namespace) : groups;
  return { name: user, groups: completeGroups(user, given), ...(uid === '' ? {} : { uid }), extra };
}

function mentionsImpersonation(headers: IncomingHttpHeaders): boolean {
  for (const name in headers) if (name.startsWith('impersonate-')) return true;
  return false;
}

const single = (header: string | readonly string[] | undefined): string => [header ?? ''].flat()[0] ?? '';

function completeGroups(user: string, groups: readonly string[]): string[] {
  if (user === ANONYMOUS) return groups.includes(UNAUTHENTICATED) ? [...groups] : [...groups, UNAUTHENTICATED];
  return groups.includes(AUTHENTICATED) || groups.includes(UNAUTHENTICATED) ? [...groups] : [...groups, AUTHENTICATED];
}

// Node joins repeated headers by commas, and a group may have one in its name.
function valuesOf({ rawHeaders }: IncomingMessage, name: string): string[] {
  const values: string[] = [];
  for (let i = 0; i < rawHeaders.length; i += 2) {
    if (rawHeaders[i]!.toLowerCase() === name) values.push(rawHeaders[i + 1]!);
  }
  return values;
}

function extraOf(request: IncomingMessage): Record<string, string[]> {
  const extra: Record<string, string[]> = {};
  for (const name in request.headers) {
    if (name.startsWith(EXTRA)) extra[unescapeKey(name.slice(EXTRA.length))] = valuesOf(request, name);
  }
  return extra;
}

function unescapeKey(key: string): string {
  try {
    return decodeURIComponent(key);
  } catch {
    // Malformed escapes are taken as they are, as the real server takes them.
    return key;
  }
}
