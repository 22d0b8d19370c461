import type {
  FlowcontrolSubject,
  FlowSchema,
  FlowSchemaSpec,
  PolicyRulesWithSubjects,
  PriorityLevelConfiguration,
  QueuingConfiguration,
  ResourcePolicyRule,
} from '../../kube/generated/types.ts';

/** The annotation that says whether the server keeps the spec of one of its own objects. */
export const AUTO_UPDATE = 'apf.kubernetes.io/autoupdate-spec';

const metadata = (name: string) => ({ name, generation: 1, annotations: { [AUTO_UPDATE]: 'true' } });

interface LevelFacts {
  readonly shares: number;
  readonly lendable: number;
  /** Queues, hand size, queue length; none rejects at once. */
  readonly queuing?: readonly [number, number, number];
}

function limited(name: string, { shares, lendable, queuing }: LevelFacts): PriorityLevelConfiguration {
  return {
    metadata: metadata(name),
    spec: {
      type: 'Limited',
      limited: {
        nominalConcurrencyShares: shares,
        lendablePercent: lendable,
        limitResponse: queuing ? { type: 'Queue', queuing: queuingOf(queuing) } : { type: 'Reject' },
      },
    },
  };
}

const queuingOf = ([queues, handSize, queueLengthLimit]: readonly [number, number, number]): QueuingConfiguration => ({
  queues,
  handSize,
  queueLengthLimit,
});

/** The priority levels that are always there: nobody can change more than the shares of `exempt`. */
export const mandatoryPriorityLevels: readonly PriorityLevelConfiguration[] = [
  {
    metadata: metadata('exempt'),
    spec: { type: 'Exempt', exempt: { nominalConcurrencyShares: 0, lendablePercent: 0 } },
  },
  limited('catch-all', { shares: 5, lendable: 0 }),
];

/** The priority levels that a cluster starts with beside. */
export const suggestedPriorityLevels: readonly PriorityLevelConfiguration[] = [
  limited('system', { shares: 30, lendable: 33, queuing: [64, 6, 50] }),
  limited('node-high', { shares: 40, lendable: 25, queuing: [64, 6, 50] }),
  limited('leader-election', { shares: 10, lendable: 0, queuing: [16, 4, 50] }),
  limited('workload-high', { shares: 40, lendable: 50, queuing: [128, 6, 50] }),
  limited('workload-low', { shares: 100, lendable: 90, queuing: [128, 6, 50] }),
  limited('global-default', { shares: 20, lendable: 50, queuing: [128, 6, 50] }),
];

const all = ['*'] as const;
const group = (name: string): FlowcontrolSubject => ({ kind: 'Group', group: { name } });
const user = (name: string): FlowcontrolSubject => ({ kind: 'User', user: { name } });
const everybody = [group('system:unauthenticated'), group('system:authenticated')];
const nodes = [group('system:nodes')];
const kubeSystemAccounts: FlowcontrolSubject = {
  kind: 'ServiceAccount',
  serviceAccount: { name: '*', namespace: 'kube-system' },
};

const everything: Omit<PolicyRulesWithSubjects, 'subjects'> = {
  resourceRules: [{ verbs: all, apiGroups: all, resources: all, clusterScope: true, namespaces: all }],
  nonResourceRules: [{ verbs: all, nonResourceURLs: all }],
};

const leases = (verbs: readonly string[]): ResourcePolicyRule => ({
  verbs,
  apiGroups: ['coordination.k8s.io'],
  resources: ['leases'],
  namespaces: all,
});

interface SchemaFacts {
  readonly precedence: number;
  readonly level: string;
  readonly by?: 'ByUser' | 'ByNamespace';
  readonly subjects: readonly FlowcontrolSubject[];
  /** Default: everything. */
  readonly rules?: Omit<PolicyRulesWithSubjects, 'subjects'>;
}

function schema(name: string, { precedence, level, by, subjects, rules = everything }: SchemaFacts): FlowSchema {
  const spec: FlowSchemaSpec = {
    matchingPrecedence: precedence,
    priorityLevelConfiguration: { name: level },
    ...(by ? { distinguisherMethod: { type: by } } : {}),
    rules: [{ subjects, ...rules }],
  };
  return { metadata: metadata(name), spec };
}

/** The flow schemas that are always there. */
export const mandatoryFlowSchemas: readonly FlowSchema[] = [
  schema('exempt', { precedence: 1, level: 'exempt', subjects: [group('system:masters')] }),
  schema('catch-all', { precedence: 10_000, level: 'catch-all', by: 'ByUser', subjects: everybody }),
];

/** The flow schemas that a cluster starts with beside. */
export const suggestedFlowSchemas: readonly FlowSchema[] = [
  schema('probes', {
    precedence: 2,
    level: 'exempt',
    subjects: everybody,
    rules: { nonResourceRules: [{ verbs: ['get'], nonResourceURLs: ['/healthz', '/readyz', '/livez'] }] },
  }),
  schema('system-leader-election', {
    precedence: 100,
    level: 'leader-election',
    by: 'ByUser',
    subjects: [user('system:kube-controller-manager'), user('system:kube-scheduler'), kubeSystemAccounts],
    rules: { resourceRules: [leases(['get', 'create', 'update'])] },
  }),
  schema('system-node-high', {
    precedence: 400,
    level: 'node-high',
    by: 'ByUser',
    subjects: nodes,
    rules: {
      resourceRules: [
        { verbs: all, apiGroups: [''], resources: ['nodes', 'nodes/status'], clusterScope: true, namespaces: all },
        leases(all),
      ],
    },
  }),
  schema('system-nodes', { precedence: 500, level: 'system', by: 'ByUser', subjects: nodes }),
  ...['kube-controller-manager', 'kube-scheduler'].map((name) =>
    schema(name, { precedence: 800, level: 'workload-high', by: 'ByNamespace', subjects: [user(`system:${name}`)] }),
  ),
  schema('kube-system-service-accounts', {
    precedence: 900,
    level: 'workload-high',
    by: 'ByNamespace',
    subjects: [kubeSystemAccounts],
  }),
  schema('service-accounts', {
    precedence: 9000,
    level: 'workload-low',
    by: 'ByUser',
    subjects: [group('system:serviceaccounts')],
  }),
  schema('global-default', { precedence: 9900, level: 'global-default', by: 'ByUser', subjects: everybody }),
];
