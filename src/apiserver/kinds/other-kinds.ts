import type {
  CertificateSigningRequest,
  EndpointSlice,
  Endpoints,
  Ingress,
  IngressClass,
  NetworkPolicy,
  PersistentVolume,
  PersistentVolumeClaim,
} from '../../kube/generated/types.ts';
import { sameValue, withFields, withMetadata } from '../machinery/api-object.ts';
import type { Strategy } from '../machinery/strategy.ts';
import type { AdmitsLoopback } from '../validation/addresses.ts';
import { validateEndpointSlice } from '../validation/endpoint-slice.ts';
import { validateEndpoints } from '../validation/endpoints.ts';
import {
  validateIngress,
  validateIngressClass,
  validateIngressSpec,
  validateIngressStatus,
} from '../validation/ingress.ts';
import { pathSegment } from '../validation/names.ts';
import { validateNetworkPolicy } from '../validation/network-policy.ts';
import {
  contentUpdate,
  defineStrategy,
  keepStatusUpdate,
  raiseGeneration,
  specStatusUpdate,
  statusUpdate,
} from './define-strategy.ts';

/** EndpointSlices: labels count for the generation, as their consumers select by them. */
export const endpointSliceStrategy = (admits: AdmitsLoopback | undefined): Strategy =>
  defineStrategy<EndpointSlice>({
    generation: true,
    validate: (slice) => validateEndpointSlice(slice, undefined, admits),
    update: {
      prepare: (slice, live) => {
        const content = (object: EndpointSlice): unknown => ({
          ...object,
          metadata: { labels: object.metadata?.labels ?? {} },
        });
        return raiseGeneration(slice, live, !sameValue(content(slice), content(live)));
      },
      validate: (slice, live) => validateEndpointSlice(slice, live, admits),
    },
  });

/** Ingresses. */
export const ingressStrategy: Strategy = defineStrategy<Ingress>({
  generation: true,
  create: (ingress) => ({ ...ingress, status: { loadBalancer: {} } }),
  validate: validateIngress,
  update: { ...specStatusUpdate(), validate: validateIngressSpec },
  subresources: { status: { ...statusUpdate(), validate: validateIngressStatus } },
});

/** IngressClasses. */
export const ingressClassStrategy: Strategy = defineStrategy<IngressClass>({
  generation: true,
  validate: (ingressClass) => validateIngressClass(ingressClass),
  update: { ...contentUpdate(), validate: (ingressClass, live) => validateIngressClass(ingressClass, live) },
});

/** Endpoints. */
export const endpointsStrategy = (admits: AdmitsLoopback | undefined): Strategy =>
  defineStrategy<Endpoints>({
    createOnUpdate: true,
    validate: (endpoints) => validateEndpoints(endpoints, undefined, admits),
    update: {
      prepare: (endpoints) => endpoints,
      validate: (endpoints, live) => validateEndpoints(endpoints, live, admits),
    },
  });

/** NetworkPolicies. */
export const networkPolicyStrategy: Strategy = defineStrategy<NetworkPolicy>({
  generation: true,
  validate: (policy) => validateNetworkPolicy(policy),
  update: { ...contentUpdate(), validate: (policy, live) => validateNetworkPolicy(policy, live) },
});

/** Roles and bindings: any path segment is a name, PUT creates. */
export const rbacStrategy: Strategy = defineStrategy({ name: pathSegment, createOnUpdate: true });

/** PodDisruptionBudgets. */
export const podDisruptionBudgetStrategy: Strategy = defineStrategy({
  generation: true,
  unconditionalUpdate: false,
  create: (budget) => ({
    ...budget,
    status: { disruptionsAllowed: 0, currentHealthy: 0, desiredHealthy: 0, expectedPods: 0 },
  }),
  update: specStatusUpdate(),
  subresources: { status: statusUpdate() },
});

/** PersistentVolumes. */
export const persistentVolumeStrategy: Strategy = defineStrategy<PersistentVolume>({
  returnsDeleted: true,
  create: (volume) => ({ ...volume, status: { phase: 'Pending' } }),
  update: keepStatusUpdate(),
  subresources: { status: statusUpdate() },
});

/** PersistentVolumeClaims. */
export const persistentVolumeClaimStrategy: Strategy = defineStrategy<PersistentVolumeClaim>({
  returnsDeleted: true,
  create: (claim) => ({ ...claim, status: { phase: 'Pending' } }),
  update: keepStatusUpdate(),
  subresources: { status: statusUpdate() },
});

/** CertificateSigningRequests: the server records who asks; approval and status have paths of their own. */
export const certificateSigningRequestStrategy: Strategy = defineStrategy<CertificateSigningRequest>({
  create: (request, { caller }) => ({
    ...request,
    spec: withFields(request.spec, {
      username: caller.name,
      uid: caller.uid,
      groups: caller.groups,
      extra: caller.extra,
    }),
    status: {},
  }),
  update: { prepare: (request, live) => withFields(request, { spec: live.spec, status: live.status }) },
  subresources: {
    status: {
      prepare: (request, live) => {
        const decided = (live.status?.conditions ?? []).filter(({ type }) => type === 'Approved' || type === 'Denied');
        const others = (request.status?.conditions ?? []).filter(
          ({ type }) => type !== 'Approved' && type !== 'Denied',
        );
        const conditions = [...decided, ...others];
        const status = withFields(
          { ...request.status },
          { conditions: conditions.length > 0 ? conditions : undefined },
        );
        return { ...request, spec: live.spec, status };
      },
    },
    approval: {
      prepare: (request, live) => ({
        ...request,
        spec: live.spec,
        status: withFields({ ...live.status }, { conditions: request.status?.conditions }),
      }),
    },
  },
  selectableFields: { 'spec.signerName': ({ spec }) => spec.signerName ?? '' },
});

/** Custom resources and other kinds that keep their metadata apart from the status. */
export const resetMetadataStatus: Strategy['update'] = {
  prepare: (object, live) =>
    withFields(
      withMetadata({ ...live, metadata: { ...live.metadata, managedFields: object.metadata?.managedFields } }, {}),
      {
        status: object.status,
      },
    ),
};
