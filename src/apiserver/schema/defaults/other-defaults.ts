import { type Fields, fill, fillPointer, fillPointers, isZero, type SetDefaults, structAt } from './fill.ts';

const rbacGroup = 'rbac.authorization.k8s.io';
const roleBinding: SetDefaults = (struct) => fill(structAt(struct, 'roleRef'), 'apiGroup', rbacGroup);

const webhook: SetDefaults = (struct) =>
  fillPointers(struct, {
    failurePolicy: 'Fail',
    matchPolicy: 'Equivalent',
    namespaceSelector: {},
    objectSelector: {},
    timeoutSeconds: 10,
  });
const matchResources: SetDefaults = (struct) =>
  fillPointers(struct, { matchPolicy: 'Equivalent', namespaceSelector: {}, objectSelector: {} });
const failurePolicy: SetDefaults = (struct) => fillPointer(struct, 'failurePolicy', 'Fail');

function admission(version: string): Record<string, SetDefaults> {
  const group = `io.k8s.api.admissionregistration.${version}.`;
  return {
    [`${group}ValidatingWebhook`]: webhook,
    [`${group}MutatingWebhook`]: (struct) => {
      webhook(struct);
      fillPointer(struct, 'reinvocationPolicy', 'Never');
    },
    [`${group}Rule`]: scope,
    [`${group}RuleWithOperations`]: scope,
    [`${group}NamedRuleWithOperations`]: scope,
    [`${group}ServiceReference`]: (struct) => fillPointer(struct, 'port', 443),
    [`${group}ValidatingAdmissionPolicySpec`]: failurePolicy,
    [`${group}MutatingAdmissionPolicySpec`]: failurePolicy,
    [`${group}MatchResources`]: matchResources,
    ...(version === 'v1alpha1'
      ? { [`${group}ParamRef`]: (struct: Fields) => fillPointer(struct, 'parameterNotFoundAction', 'Deny') }
      : {}),
  };
}
function scope(struct: Fields): void {
  fillPointer(struct, 'scope', '*');
}

function deviceRequests(version: string): Record<string, SetDefaults> {
  const group = `io.k8s.api.resource.${version}.`;
  const request: SetDefaults = (struct) => {
    fill(struct, 'allocationMode', 'ExactCount');
    if (struct['allocationMode'] === 'ExactCount') fill(struct, 'count', 1);
  };
  return {
    [`${group}ExactDeviceRequest`]: request,
    [`${group}DeviceSubRequest`]: request,
    // v1beta1 has the fields of one exact request beside a list of alternatives, which have no class of their own.
    [`${group}DeviceRequest`]: (struct) => void (isZero(struct['deviceClassName']) || request(struct)),
    [`${group}NodeAllocatableResourceMapping`]: (struct) => fillPointer(struct, 'allocationMultiplier', '1'),
  };
}

function csiDriver(struct: Fields): void {
  const spec = structAt(struct, 'spec');
  fillPointers(spec, {
    attachRequired: true,
    podInfoOnMount: false,
    storageCapacity: false,
    fsGroupPolicy: 'ReadWriteOnceWithFSType',
    requiresRepublish: false,
    seLinuxMount: false,
  });
  if (isZero(spec['volumeLifecycleModes'])) spec['volumeLifecycleModes'] = ['Persistent'];
}

function networkPolicy(struct: Fields): void {
  const spec = structAt(struct, 'spec');
  if (isZero(spec['policyTypes'])) spec['policyTypes'] = isZero(spec['egress']) ? ['Ingress'] : ['Ingress', 'Egress'];
}

function ingressClass(struct: Fields): void {
  const parameters = structAt(struct, 'spec')['parameters'] as Fields | undefined;
  if (parameters) fillPointer(parameters, 'scope', 'Cluster');
}

function subject(struct: Fields): void {
  if (struct['kind'] === 'User' || struct['kind'] === 'Group') fill(struct, 'apiGroup', rbacGroup);
}

function customResourceDefinition(struct: Fields): void {
  const spec = structAt(struct, 'spec');
  const names = structAt(spec, 'names');
  const kind = (names['kind'] as string | undefined) ?? '';
  if (kind !== '') {
    fill(names, 'singular', kind.toLowerCase());
    fill(names, 'listKind', `${kind}List`);
  }
  fillPointer(spec, 'conversion', { strategy: 'None' });
  const status = structAt(struct, 'status');
  const stored = ((spec['versions'] as Fields[] | undefined) ?? []).find((version) => version['storage'] === true);
  if (isZero(status['storedVersions']) && stored) status['storedVersions'] = [stored['name']];
}

const flowcontrol = 'io.k8s.api.flowcontrol.v1.';

/** Defaults of the remaining groups. */
export const otherDefaults: Readonly<Record<string, SetDefaults>> = {
  'io.k8s.api.networking.v1.NetworkPolicy': networkPolicy,
  'io.k8s.api.networking.v1.NetworkPolicyPort': (struct) => fillPointer(struct, 'protocol', 'TCP'),
  'io.k8s.api.networking.v1.IngressClass': ingressClass,
  'io.k8s.api.discovery.v1.EndpointPort': (struct) => fillPointers(struct, { name: '', protocol: 'TCP' }),
  'io.k8s.api.rbac.v1.RoleBinding': roleBinding,
  'io.k8s.api.rbac.v1.ClusterRoleBinding': roleBinding,
  'io.k8s.api.rbac.v1.Subject': subject,
  'io.k8s.api.storage.v1.CSIDriver': csiDriver,
  'io.k8s.api.storage.v1.StorageClass': (struct) =>
    fillPointers(struct, { reclaimPolicy: 'Delete', volumeBindingMode: 'Immediate' }),
  'io.k8s.api.scheduling.v1.PriorityClass': (struct) => fillPointer(struct, 'preemptionPolicy', 'PreemptLowerPriority'),
  'io.k8s.api.authentication.v1.TokenRequestSpec': (struct) => fillPointer(struct, 'expirationSeconds', 3600),
  [`${flowcontrol}FlowSchemaSpec`]: (struct) => fill(struct, 'matchingPrecedence', 1000),
  [`${flowcontrol}ExemptPriorityLevelConfiguration`]: (struct) =>
    fillPointers(struct, { nominalConcurrencyShares: 0, lendablePercent: 0 }),
  [`${flowcontrol}LimitedPriorityLevelConfiguration`]: (struct) =>
    fillPointers(struct, { nominalConcurrencyShares: 30, lendablePercent: 0 }),
  [`${flowcontrol}QueuingConfiguration`]: (struct) => {
    fill(struct, 'handSize', 8);
    fill(struct, 'queues', 64);
    fill(struct, 'queueLengthLimit', 50);
  },
  ...admission('v1'),
  ...admission('v1beta1'),
  ...admission('v1alpha1'),
  ...deviceRequests('v1'),
  ...deviceRequests('v1beta1'),
  ...deviceRequests('v1beta2'),
  'io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.CustomResourceDefinition': customResourceDefinition,
  'io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.ServiceReference': (struct) =>
    fillPointer(struct, 'port', 443),
  'io.k8s.kube-aggregator.pkg.apis.apiregistration.v1.ServiceReference': (struct) => fillPointer(struct, 'port', 443),
};
