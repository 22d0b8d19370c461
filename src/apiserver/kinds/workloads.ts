import type { Deployment, Job, ReplicaSet, StatefulSet } from '../../kube/generated/types.ts';
import { sameValue, withFields, withMetadata } from '../machinery/api-object.ts';
import type { Strategy } from '../machinery/strategy.ts';
import {
  validateDaemonSet,
  validateDeployment,
  validateReplicaSet,
  validateStatefulSet,
  validateTemplateSelector,
} from '../validation/workloads.ts';
import { defineStrategy, keepStatus, raiseGeneration, specStatusUpdate, statusUpdate } from './define-strategy.ts';

/** Deployments: annotations count for the generation too, as `kubectl rollout` relies on. */
export const deploymentStrategy: Strategy = defineStrategy<Deployment>({
  generation: true,
  validate: (deployment) => validateDeployment(deployment),
  update: {
    prepare: (deployment, live) => {
      const changed =
        !sameValue(deployment.spec, live.spec) ||
        !sameValue(deployment.metadata?.annotations ?? {}, live.metadata?.annotations ?? {});
      return raiseGeneration(keepStatus(deployment, live), live, changed);
    },
    validate: (deployment, live) => [...validateDeployment(deployment), ...validateTemplateSelector(deployment, live)],
  },
  subresources: {
    status: {
      prepare: (deployment, live) => {
        const restored = withMetadata(deployment, { labels: live.metadata?.labels });
        return withFields(restored, { spec: live.spec });
      },
    },
  },
});

/** ReplicaSets. */
export const replicaSetStrategy: Strategy = defineStrategy<ReplicaSet>({
  generation: true,
  create: (replicaSet) => ({ ...replicaSet, status: { replicas: 0 } }),
  validate: (replicaSet) => validateReplicaSet(replicaSet),
  update: {
    ...specStatusUpdate(),
    validate: (replicaSet, live) => [...validateReplicaSet(replicaSet), ...validateTemplateSelector(replicaSet, live)],
  },
  subresources: { status: statusUpdate() },
  selectableFields: { 'status.replicas': ({ status }) => String(status?.replicas ?? 0) },
});

/** StatefulSets. */
export const statefulSetStrategy: Strategy = defineStrategy<StatefulSet>({
  generation: true,
  create: (statefulSet) => ({ ...statefulSet, status: { replicas: 0, availableReplicas: 0 } }),
  validate: (statefulSet) => validateStatefulSet(statefulSet),
  update: {
    ...specStatusUpdate(),
    validate: (statefulSet, live) => validateStatefulSet(statefulSet, live),
  },
  subresources: { status: statusUpdate() },
  selectableFields: { 'status.successful': () => '' },
});

/** DaemonSets. */
export const daemonSetStrategy: Strategy = defineStrategy({
  generation: true,
  create: (daemonSet) => ({
    ...daemonSet,
    status: { currentNumberScheduled: 0, numberMisscheduled: 0, desiredNumberScheduled: 0, numberReady: 0 },
  }),
  validate: (daemonSet) => validateDaemonSet(daemonSet),
  update: {
    ...specStatusUpdate(),
    validate: (daemonSet, live) => [...validateDaemonSet(daemonSet), ...validateTemplateSelector(daemonSet, live)],
  },
  subresources: { status: statusUpdate() },
});

/** ReplicationControllers. */
export const replicationControllerStrategy: Strategy = defineStrategy<ReplicaSet>({
  generation: true,
  create: (controller) => ({ ...controller, status: { replicas: 0 } }),
  update: specStatusUpdate(),
  subresources: { status: statusUpdate() },
  selectableFields: { 'status.replicas': ({ status }) => String(status?.replicas ?? 0) },
});

const JOB_LABELS = ['controller-uid', 'batch.kubernetes.io/controller-uid'] as const;
const NAME_LABELS = ['job-name', 'batch.kubernetes.io/job-name'] as const;

/** Jobs: unless manualSelector is set, the server makes the selector and the labels of the template. */
export const jobStrategy: Strategy = defineStrategy<Job>({
  generation: true,
  create: (job) => ({ ...withGeneratedSelector(job), status: {} }),
  update: specStatusUpdate(),
  subresources: { status: statusUpdate() },
  selectableFields: { 'status.successful': ({ status }) => String(status?.succeeded ?? 0) },
});

function withGeneratedSelector(job: Job): Job {
  const { spec } = job;
  if (spec === undefined || spec.manualSelector === true) return job;
  const { uid = '', name = '' } = job.metadata ?? {};
  const template = spec.template ?? {};
  const generated = Object.fromEntries([
    ...JOB_LABELS.map((label) => [label, uid] as const),
    ...NAME_LABELS.map((label) => [label, name] as const),
  ]);
  const metadata = { ...template.metadata, labels: { ...template.metadata?.labels, ...generated } };
  const selector = { ...spec.selector, matchLabels: { ...spec.selector?.matchLabels, [JOB_LABELS[1]]: uid } };
  return { ...job, spec: { ...spec, selector, template: { ...template, metadata } } };
}

/** CronJobs. */
export const cronJobStrategy: Strategy = defineStrategy({
  generation: true,
  create: (cronJob) => ({ ...cronJob, status: {} }),
  update: specStatusUpdate(),
  subresources: { status: statusUpdate() },
});
