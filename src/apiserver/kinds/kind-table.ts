import type { ResourceType } from '../../kube/resources.ts';
import type { ServiceAllocator } from '../../kube/service-allocator.ts';
import type { Store } from '../../store/store.ts';
import { guardBinding, guardRole } from '../access/guard-roles.ts';
import type { RbacAuthorizer } from '../access/rbac-authorizer.ts';
import { rbac } from '../access/role-types.ts';
import { definitionStrategy } from '../customresources/definition-strategy.ts';
import type { Conversion } from '../machinery/served-resource.ts';
import type { Strategy } from '../machinery/strategy.ts';
import * as access from '../tables/access-columns.ts';
import * as core from '../tables/core-columns.ts';
import * as network from '../tables/network-columns.ts';
import { podColumns } from '../tables/pod-columns.ts';
import type { TableColumns } from '../tables/table-columns.ts';
import * as workload from '../tables/workload-columns.ts';
import { validateBinding, validateRole } from '../validation/access.ts';
import type { AdmitsLoopback } from '../validation/addresses.ts';
import * as small from '../validation/small-kinds.ts';
import { eventConversion, horizontalPodAutoscalerConversion } from './conversions.ts';
import * as coreObjects from './core-objects.ts';
import { defineStrategy, validated } from './define-strategy.ts';
import { flowSchemaStrategy, priorityLevelStrategy } from './flow-control.ts';
import { namespaceStrategy } from './namespace.ts';
import * as other from './other-kinds.ts';
import { podStrategy } from './pod.ts';
import { serviceStrategy } from './service.ts';
import * as workloads from './workloads.ts';

/** What is particular to one kind beside its schema. */
export interface KindRow {
  readonly shortNames?: readonly string[];
  readonly categories?: readonly string[];
  readonly strategy?: Strategy;
  readonly columns?: TableColumns;
  /** Group and version in which it is stored, when that is another one: `''/v1`. */
  readonly storedAs?: { readonly group: string; readonly version: string; readonly conversion: Conversion };
}

/** What the strategies of some kinds need beside the object. */
export interface KindOptions {
  readonly allocator: ServiceAllocator;
  readonly store: Store;
  readonly admitsLoopback?: AdmitsLoopback | undefined;
  /** Asked when a role or binding is written. */
  readonly authorizer: () => RbacAuthorizer;
}

const all = ['all'] as const;
const extensions = ['api-extensions'] as const;

/** Kinds by `group/resource`, or by `group/version/resource` where versions differ. A kind without a row is served plainly. */
export function kindRows({
  allocator,
  store,
  admitsLoopback,
  authorizer,
}: KindOptions): Readonly<Record<string, KindRow>> {
  return {
    ...coreRows(serviceStrategy(allocator, store, admitsLoopback), admitsLoopback),
    ...workloadRows,
    ...networkRows(admitsLoopback),
    ...accessRows,
    ...roleRows(authorizer),
    ...otherRows,
  };
}

const coreRows = (services: Strategy, admits: AdmitsLoopback | undefined): Readonly<Record<string, KindRow>> => ({
  '/configmaps': { shortNames: ['cm'], strategy: coreObjects.configMapStrategy, columns: core.configMapColumns },
  '/endpoints': { shortNames: ['ep'], strategy: other.endpointsStrategy(admits), columns: network.endpointsColumns },
  '/events': { shortNames: ['ev'], strategy: coreObjects.eventStrategy, columns: core.eventColumns },
  '/limitranges': {
    shortNames: ['limits'],
    strategy: defineStrategy({ createOnUpdate: true }),
    columns: core.limitRangeColumns,
  },
  '/namespaces': { shortNames: ['ns'], strategy: namespaceStrategy, columns: core.namespaceColumns },
  '/nodes': {
    shortNames: ['no'],
    strategy: validated(coreObjects.nodeStrategy, small.validateNode),
    columns: core.nodeColumns,
  },
  '/persistentvolumeclaims': {
    shortNames: ['pvc'],
    strategy: other.persistentVolumeClaimStrategy,
    columns: core.persistentVolumeClaimColumns,
  },
  '/persistentvolumes': {
    shortNames: ['pv'],
    strategy: other.persistentVolumeStrategy,
    columns: core.persistentVolumeColumns,
  },
  '/pods': { shortNames: ['po'], categories: all, strategy: podStrategy, columns: podColumns },
  '/podtemplates': {
    strategy: { ...coreObjects.contentStrategy, returnsDeleted: true },
    columns: workload.podTemplateColumns,
  },
  '/replicationcontrollers': {
    shortNames: ['rc'],
    categories: all,
    strategy: workloads.replicationControllerStrategy,
    columns: workload.replicationControllerColumns,
  },
  '/resourcequotas': {
    shortNames: ['quota'],
    strategy: { ...coreObjects.plainStatusStrategy, returnsDeleted: true },
    columns: core.resourceQuotaColumns,
  },
  '/secrets': { strategy: coreObjects.secretStrategy, columns: core.secretColumns },
  '/serviceaccounts': {
    shortNames: ['sa'],
    strategy: coreObjects.serviceAccountStrategy,
    columns: core.serviceAccountColumns,
  },
  '/services': { shortNames: ['svc'], categories: all, strategy: services, columns: network.serviceColumns },
  'events.k8s.io/events': {
    shortNames: ['ev'],
    columns: core.eventColumns,
    storedAs: { group: '', version: 'v1', conversion: eventConversion },
  },
});

const workloadRows: Readonly<Record<string, KindRow>> = {
  'apps/controllerrevisions': { columns: core.controllerRevisionColumns },
  'apps/daemonsets': {
    shortNames: ['ds'],
    categories: all,
    strategy: workloads.daemonSetStrategy,
    columns: workload.daemonSetColumns,
  },
  'apps/deployments': {
    shortNames: ['deploy'],
    categories: all,
    strategy: workloads.deploymentStrategy,
    columns: workload.deploymentColumns,
  },
  'apps/replicasets': {
    shortNames: ['rs'],
    categories: all,
    strategy: workloads.replicaSetStrategy,
    columns: workload.replicaSetColumns,
  },
  'apps/statefulsets': {
    shortNames: ['sts'],
    categories: all,
    strategy: workloads.statefulSetStrategy,
    columns: workload.statefulSetColumns,
  },
  'batch/cronjobs': {
    shortNames: ['cj'],
    categories: all,
    strategy: validated(workloads.cronJobStrategy, small.validateCronJob),
    columns: workload.cronJobColumns,
  },
  'batch/jobs': {
    categories: all,
    strategy: validated(workloads.jobStrategy, small.validateJob),
    columns: workload.jobColumns,
  },
  'autoscaling/v1/horizontalpodautoscalers': {
    shortNames: ['hpa'],
    categories: all,
    columns: workload.horizontalPodAutoscalerColumns,
    storedAs: { group: 'autoscaling', version: 'v2', conversion: horizontalPodAutoscalerConversion },
  },
  'autoscaling/v2/horizontalpodautoscalers': {
    shortNames: ['hpa'],
    categories: all,
    strategy: coreObjects.plainStatusStrategy,
    columns: workload.horizontalPodAutoscalerColumns,
  },
  'policy/poddisruptionbudgets': {
    shortNames: ['pdb'],
    strategy: validated(other.podDisruptionBudgetStrategy, small.validateDisruptionBudget),
    columns: workload.podDisruptionBudgetColumns,
  },
};

const networkRows = (admits: AdmitsLoopback | undefined): Readonly<Record<string, KindRow>> => ({
  'discovery.k8s.io/endpointslices': {
    strategy: other.endpointSliceStrategy(admits),
    columns: network.endpointSliceColumns,
  },
  'networking.k8s.io/ingressclasses': { strategy: other.ingressClassStrategy, columns: network.ingressClassColumns },
  'networking.k8s.io/ingresses': {
    shortNames: ['ing'],
    strategy: other.ingressStrategy,
    columns: network.ingressColumns,
  },
  'networking.k8s.io/ipaddresses': {
    shortNames: ['ip'],
    strategy: validated(defineStrategy(), small.validateIPAddress),
    columns: network.ipAddressColumns,
  },
  'networking.k8s.io/networkpolicies': {
    shortNames: ['netpol'],
    strategy: other.networkPolicyStrategy,
    columns: network.networkPolicyColumns,
  },
  'networking.k8s.io/servicecidrs': {
    strategy: validated(coreObjects.plainStatusStrategy, small.validateServiceCIDR),
    columns: network.serviceCIDRColumns,
  },
});

const roleRows = (authorizer: () => RbacAuthorizer): Readonly<Record<string, KindRow>> => {
  const role = (type: ResourceType): KindRow => ({
    strategy: guardRole(
      validated(other.rbacStrategy, (role) => validateRole(role, type.namespaced)),
      type,
      authorizer,
    ),
    columns: access.roleColumns,
  });
  const binding = (type: ResourceType): KindRow => ({
    strategy: guardBinding(
      validated(other.rbacStrategy, (object) => validateBinding(object, type.namespaced)),
      type,
      authorizer,
    ),
    columns: access.roleBindingColumns,
  });
  return {
    'rbac.authorization.k8s.io/clusterroles': role(rbac.clusterRoles),
    'rbac.authorization.k8s.io/roles': role(rbac.roles),
    'rbac.authorization.k8s.io/clusterrolebindings': binding(rbac.clusterRoleBindings),
    'rbac.authorization.k8s.io/rolebindings': binding(rbac.roleBindings),
  };
};

const accessRows: Readonly<Record<string, KindRow>> = {
  'certificates.k8s.io/certificatesigningrequests': {
    shortNames: ['csr'],
    strategy: other.certificateSigningRequestStrategy,
    columns: access.certificateSigningRequestColumns,
  },
  'flowcontrol.apiserver.k8s.io/flowschemas': { strategy: flowSchemaStrategy, columns: access.flowSchemaColumns },
  'flowcontrol.apiserver.k8s.io/prioritylevelconfigurations': {
    strategy: priorityLevelStrategy,
    columns: access.priorityLevelColumns,
  },
  'admissionregistration.k8s.io/mutatingwebhookconfigurations': {
    categories: extensions,
    strategy: { ...coreObjects.contentStrategy, unconditionalUpdate: false },
    columns: access.webhookColumns,
  },
  'admissionregistration.k8s.io/validatingwebhookconfigurations': {
    categories: extensions,
    strategy: { ...coreObjects.contentStrategy, unconditionalUpdate: false },
    columns: access.webhookColumns,
  },
  'admissionregistration.k8s.io/validatingadmissionpolicies': { categories: extensions },
  'admissionregistration.k8s.io/validatingadmissionpolicybindings': {
    categories: extensions,
    strategy: coreObjects.contentStrategy,
  },
  'admissionregistration.k8s.io/mutatingadmissionpolicies': {
    categories: extensions,
    strategy: coreObjects.contentStrategy,
  },
  'admissionregistration.k8s.io/mutatingadmissionpolicybindings': {
    categories: extensions,
    strategy: coreObjects.contentStrategy,
  },
};

const otherRows: Readonly<Record<string, KindRow>> = {
  'apiextensions.k8s.io/customresourcedefinitions': {
    shortNames: ['crd', 'crds'],
    strategy: definitionStrategy,
    categories: extensions,
    columns: core.createdAtColumns,
  },
  'apiregistration.k8s.io/apiservices': { categories: extensions },
  'coordination.k8s.io/leases': {
    strategy: validated(coreObjects.leaseStrategy, small.validateLease),
    columns: core.leaseColumns,
  },
  'node.k8s.io/runtimeclasses': {
    strategy: defineStrategy({ createOnUpdate: true, unconditionalUpdate: false }),
    columns: core.runtimeClassColumns,
  },
  'scheduling.k8s.io/priorityclasses': {
    shortNames: ['pc'],
    strategy: validated(coreObjects.contentStrategy, small.validatePriorityClass),
    columns: core.priorityClassColumns,
  },
  'storage.k8s.io/csidrivers': { strategy: coreObjects.contentStrategy },
  'storage.k8s.io/storageclasses': {
    shortNames: ['sc'],
    strategy: validated(defineStrategy({ returnsDeleted: true }), small.validateStorageClass),
    columns: core.storageClassColumns,
  },
  'storage.k8s.io/volumeattributesclasses': { shortNames: ['vac'], strategy: defineStrategy({ returnsDeleted: true }) },
};
