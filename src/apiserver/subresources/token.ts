import type { ServiceAccount, TokenRequest } from '../../kube/generated/types.ts';
import type { ServiceAccountTokens } from '../access/service-account-tokens.ts';
import { valueReply } from '../http/api-request.ts';
import { readObject } from '../http/read-body.ts';
import { findEntry } from '../http/read-verbs.ts';
import { readContext } from '../http/request-options.ts';
import { storedObject } from '../machinery/stored-object.ts';
import { methodNotAllowed, schemaOf } from './object-subresources.ts';
import type { SubresourceHandler } from './subresource-hooks.ts';

/** POST serviceaccounts/NAME/token. */
export function tokenHandler(tokens: ServiceAccountTokens): SubresourceHandler {
  return async ({ machinery, resource, info, request }) => {
    if (info.verb !== 'create') throw methodNotAllowed();
    const schema = schemaOf(machinery, 'authentication.k8s.io', 'v1', 'TokenRequest');
    const wanted = readObject(machinery, schema, request, readContext(request, 'CreateOptions')) as TokenRequest;
    const account: ServiceAccount = storedObject(await findEntry(machinery, resource, info));
    return valueReply(201, tokens.issue(account, wanted));
  };
}
