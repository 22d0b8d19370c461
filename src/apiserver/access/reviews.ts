import type {
  LocalSubjectAccessReview,
  NonResourceRule,
  ResourceAttributes,
  ResourceRule,
  SelfSubjectAccessReview,
  SelfSubjectRulesReview,
  SubjectAccessReview,
  SubjectAccessReviewSpec,
  TokenReview,
} from '../../kube/generated/types.ts';
import { ApiStatusError } from '../../kube/status.ts';
import { type ApiReply, type ApiRequest, valueReply } from '../http/api-request.ts';
import type { VirtualHandlers } from '../http/dispatch.ts';
import { readObject } from '../http/read-body.ts';
import type { ResourceRequestInfo } from '../http/request-info.ts';
import { readContext } from '../http/request-options.ts';
import { badRequest, invalidObject } from '../machinery/errors.ts';
import { type Machinery, timestamp } from '../machinery/machinery.ts';
import type { Caller } from '../machinery/strategy.ts';
import type { FieldCause } from '../schema/contract.ts';
import { invalid } from '../validation/field-errors.ts';
import type { Attributes } from './attributes.ts';
import type { StaticTokens } from './authenticate.ts';
import type { RbacAuthorizer } from './rbac-authorizer.ts';
import type { ServiceAccountTokens } from './service-account-tokens.ts';

const AUTHORIZATION = 'authorization.k8s.io';
const AUTHENTICATION = 'authentication.k8s.io';

export interface ReviewOptions {
  readonly machinery: Machinery;
  readonly authorizer: RbacAuthorizer;
  readonly tokens: ServiceAccountTokens;
  readonly staticTokens?: StaticTokens | undefined;
}

/** Questions about who one is and what one may do: answered, never stored. */
export function reviewHandlers(options: ReviewOptions): VirtualHandlers {
  const { machinery } = options;
  const handler =
    <T extends object>(
      group: string,
      kind: string,
      answer: (review: T, request: ApiRequest, info: ResourceRequestInfo) => object,
    ) =>
    async (info: ResourceRequestInfo, request: ApiRequest): Promise<ApiReply> => {
      const schema = machinery.schemas.kind({ group, version: 'v1', kind });
      if (!schema) throw new ApiStatusError('InternalError', `${kind} has no schema`);
      const review = readObject(machinery, schema, request, readContext(request, 'CreateOptions')) as T;
      return valueReply(201, { ...review, ...answer(review, request, info) });
    };
  return {
    [`${AUTHORIZATION}/v1/selfsubjectaccessreviews`]: handler<SelfSubjectAccessReview>(
      AUTHORIZATION,
      'SelfSubjectAccessReview',
      ({ spec }, { caller }) => ({ status: accessStatus(options, caller, spec) }),
    ),
    [`${AUTHORIZATION}/v1/subjectaccessreviews`]: handler<SubjectAccessReview>(
      AUTHORIZATION,
      'SubjectAccessReview',
      ({ spec }) => ({
        status: accessStatus(options, subjectOf(spec, 'SubjectAccessReview'), spec),
      }),
    ),
    [`${AUTHORIZATION}/v1/localsubjectaccessreviews`]: handler<LocalSubjectAccessReview>(
      AUTHORIZATION,
      'LocalSubjectAccessReview',
      ({ spec }, _request, { namespace }) => {
        if (spec.resourceAttributes?.namespace !== namespace) {
          throw badRequest(`spec.resourceAttributes.namespace must match namespace: ${namespace}`);
        }
        return { status: accessStatus(options, subjectOf(spec, 'LocalSubjectAccessReview'), spec) };
      },
    ),
    [`${AUTHORIZATION}/v1/selfsubjectrulesreviews`]: handler<SelfSubjectRulesReview>(
      AUTHORIZATION,
      'SelfSubjectRulesReview',
      ({ spec }, { caller }) => {
        if (!spec.namespace) throw badRequest('no namespace on request');
        return { status: rulesStatus(options.authorizer, caller, spec.namespace) };
      },
    ),
    [`${AUTHENTICATION}/v1/selfsubjectreviews`]: handler(
      AUTHENTICATION,
      'SelfSubjectReview',
      (_review, { caller }) => ({
        metadata: { creationTimestamp: timestamp(machinery.clock) },
        status: { userInfo: userInfo(caller) },
      }),
    ),
    [`${AUTHENTICATION}/v1/tokenreviews`]: handler<TokenReview>(AUTHENTICATION, 'TokenReview', ({ spec }) => ({
      status: tokenStatus(options, spec.token ?? '', spec.audiences ?? []),
    })),
  };
}

function userInfo({ name, uid, groups, extra }: Caller): object {
  return {
    username: name,
    ...(uid ? { uid } : {}),
    groups,
    ...(extra && Object.keys(extra).length > 0 ? { extra } : {}),
  };
}

function subjectOf({ user = '', uid, groups = [], extra }: SubjectAccessReviewSpec, kind: string): Caller {
  if (user === '' && groups.length === 0) {
    const cause = invalid('spec.user', user, 'at least one of user or group must be specified');
    throw invalidObject({ group: AUTHORIZATION, kind }, '', [cause]);
  }
  return { name: user, groups, ...(uid ? { uid } : {}), ...(extra ? { extra } : {}) };
}

type AccessSpec = Pick<SubjectAccessReviewSpec, 'resourceAttributes' | 'nonResourceAttributes'>;

function accessStatus({ authorizer }: ReviewOptions, caller: Caller, spec: AccessSpec): object {
  const { resourceAttributes, nonResourceAttributes } = spec;
  const causes: FieldCause[] = [];
  if (resourceAttributes && nonResourceAttributes) {
    causes.push(
      invalid(
        'spec.nonResourceAttributes',
        nonResourceAttributes,
        'cannot be specified in combination with resourceAttributes',
      ),
    );
  }
  if (!resourceAttributes && !nonResourceAttributes) {
    causes.push(
      invalid(
        'spec.resourceAttributes',
        null,
        'exactly one of nonResourceAttributes or resourceAttributes must be specified',
      ),
    );
  }
  if (causes.length > 0) throw invalidObject({ group: AUTHORIZATION, kind: 'SubjectAccessReview' }, '', causes);
  const attributes: Attributes = nonResourceAttributes
    ? { type: 'path', verb: nonResourceAttributes.verb ?? '', path: nonResourceAttributes.path ?? '' }
    : resourceOf(resourceAttributes ?? {});
  return { allowed: authorizer.allows(caller, attributes) };
}

function resourceOf({
  verb = '',
  group = '',
  resource = '',
  subresource = '',
  namespace = '',
  name = '',
}: ResourceAttributes): Attributes {
  return { type: 'resource', verb, group, resource, subresource, namespace, name };
}

function rulesStatus(authorizer: RbacAuthorizer, caller: Caller, namespace: string): object {
  const resourceRules: ResourceRule[] = [];
  const nonResourceRules: NonResourceRule[] = [];
  for (const { verbs, apiGroups, resources, resourceNames, nonResourceURLs } of authorizer.rulesFor(
    caller,
    namespace,
  )) {
    if (resources?.length) {
      resourceRules.push({ verbs, apiGroups, resources, ...(resourceNames ? { resourceNames } : {}) });
    }
    if (nonResourceURLs?.length) nonResourceRules.push({ verbs, nonResourceURLs });
  }
  return { resourceRules, nonResourceRules, incomplete: false };
}

function tokenStatus({ tokens, staticTokens }: ReviewOptions, token: string, audiences: readonly string[]): object {
  const wanted = audiences.length > 0 ? audiences : [tokens.issuer];
  const known = staticTokens?.get(token);
  if (known && wanted.includes(tokens.issuer))
    return { authenticated: true, user: userInfo(known), audiences: [tokens.issuer] };
  const found = tokens.review(token, wanted);
  if (found) return { authenticated: true, user: userInfo(found.caller), audiences: found.audiences };
  return { authenticated: false, user: {}, error: 'invalid bearer token' };
}
