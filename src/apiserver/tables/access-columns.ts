import type {
  CertificateSigningRequest,
  FlowSchema,
  MutatingWebhookConfiguration,
  PriorityLevelConfiguration,
  RoleBinding,
  Subject,
} from '../../kube/generated/types.ts';
import { compareFlowSchemas } from '../flowcontrol/flow-schema-order.ts';
import { createdAtColumns } from './core-columns.ts';
import { defineColumns } from './define-columns.ts';
import { age, humanDuration } from './human-duration.ts';
import type { TableColumns } from './table-columns.ts';

export const roleColumns = createdAtColumns;

export const roleBindingColumns = defineColumns<RoleBinding>(
  ['Name', 'Role', 'Age', '+Users', '+Groups', '+ServiceAccounts'],
  ({ metadata, roleRef, subjects = [] }, now) => [
    metadata?.name,
    `${roleRef.kind}/${roleRef.name}`,
    age(metadata?.creationTimestamp, now),
    subjectsText(subjects, 'User'),
    subjectsText(subjects, 'Group'),
    subjectsText(subjects, 'ServiceAccount'),
  ],
);

function subjectsText(subjects: readonly Subject[], kind: string): string {
  return subjects
    .filter((subject) => subject.kind === kind)
    .map(({ name, namespace }) => (kind === 'ServiceAccount' && namespace ? `${namespace}/${name}` : name))
    .join(', ');
}

export const certificateSigningRequestColumns = defineColumns<CertificateSigningRequest>(
  ['Name', 'Age', 'SignerName', 'Requestor', 'RequestedDuration', 'Condition'],
  (request, now) => [
    request.metadata?.name,
    age(request.metadata?.creationTimestamp, now),
    request.spec.signerName || '<none>',
    request.spec.username,
    request.spec.expirationSeconds === undefined ? '<none>' : humanDuration(request.spec.expirationSeconds * 1000),
    requestCondition(request),
  ],
);

function requestCondition({ status }: CertificateSigningRequest): string {
  const has = (type: string): boolean => status?.conditions?.some((condition) => condition.type === type) ?? false;
  const decision = has('Denied') ? 'Denied' : has('Approved') ? 'Approved' : 'Pending';
  return `${decision}${has('Failed') ? ',Failed' : ''}${status?.certificate ? ',Issued' : ''}`;
}

export const webhookColumns = defineColumns<MutatingWebhookConfiguration>(
  ['Name', 'Webhooks:integer', 'Age'],
  ({ metadata, webhooks }, now) => [metadata?.name, webhooks?.length ?? 0, age(metadata?.creationTimestamp, now)],
);

const flowSchemaCells = defineColumns<FlowSchema>(
  ['Name', 'PriorityLevel', 'MatchingPrecedence', 'DistinguisherMethod', 'Age', 'MissingPL'],
  ({ metadata, spec, status }, now) => [
    metadata?.name,
    spec?.priorityLevelConfiguration.name,
    spec?.matchingPrecedence ?? 0,
    spec?.distinguisherMethod?.type ?? '<none>',
    age(metadata?.creationTimestamp, now),
    status?.conditions?.find(({ type }) => type === 'Dangling')?.status ?? '?',
  ],
);

/** In the order in which requests are matched. */
export const flowSchemaColumns: TableColumns = { ...flowSchemaCells, compare: compareFlowSchemas };

export const priorityLevelColumns = defineColumns<PriorityLevelConfiguration>(
  ['Name', 'Type', 'NominalConcurrencyShares', 'Queues', 'HandSize', 'QueueLengthLimit', 'Age'],
  ({ metadata, spec }, now) => {
    const queuing = spec?.limited?.limitResponse?.queuing;
    return [
      metadata?.name,
      spec?.type,
      spec?.limited?.nominalConcurrencyShares ?? '<none>',
      queuing?.queues ?? '<none>',
      queuing?.handSize ?? '<none>',
      queuing?.queueLengthLimit ?? '<none>',
      age(metadata?.creationTimestamp, now),
    ];
  },
);
