import { type Fields, fill, fillPointer, fillPointers, isZero, type SetDefaults, structAt, structsAt } from './fill.ts';

function deployment(struct: Fields): void {
  const spec = structAt(struct, 'spec');
  fillPointers(spec, { replicas: 1, revisionHistoryLimit: 10, progressDeadlineSeconds: 600 });
  const strategy = structAt(spec, 'strategy');
  fill(strategy, 'type', 'RollingUpdate');
  if (strategy['type'] === 'RollingUpdate')
    fillPointers(structAt(strategy, 'rollingUpdate'), { maxUnavailable: '25%', maxSurge: '25%' });
}

function daemonSet(struct: Fields): void {
  const spec = structAt(struct, 'spec');
  fillPointer(spec, 'revisionHistoryLimit', 10);
  const strategy = structAt(spec, 'updateStrategy');
  fill(strategy, 'type', 'RollingUpdate');
  if (strategy['type'] === 'RollingUpdate')
    fillPointers(structAt(strategy, 'rollingUpdate'), { maxUnavailable: 1, maxSurge: 0 });
}

function statefulSet(struct: Fields): void {
  const spec = structAt(struct, 'spec');
  fill(spec, 'podManagementPolicy', 'OrderedReady');
  fillPointers(spec, { replicas: 1, revisionHistoryLimit: 10 });
  const strategy = structAt(spec, 'updateStrategy');
  if (isZero(strategy['type'])) {
    strategy['type'] = 'RollingUpdate';
    fillPointer(strategy, 'rollingUpdate', {});
  }
  const rolling = strategy['rollingUpdate'] as Fields | undefined;
  if (strategy['type'] === 'RollingUpdate' && rolling) fillPointer(rolling, 'partition', 0);
  const retention = structAt(spec, 'persistentVolumeClaimRetentionPolicy');
  fill(retention, 'whenDeleted', 'Retain');
  fill(retention, 'whenScaled', 'Retain');
  for (const claim of structsAt(spec, 'volumeClaimTemplates')) {
    claim['kind'] = 'PersistentVolumeClaim';
    claim['apiVersion'] = 'v1';
  }
}

function job(struct: Fields): void {
  const spec = structAt(struct, 'spec');
  if ((spec['parallelism'] ?? undefined) === undefined) fillPointer(spec, 'completions', 1);
  fillPointers(spec, {
    parallelism: 1,
    backoffLimit: (spec['backoffLimitPerIndex'] ?? undefined) === undefined ? 6 : 2_147_483_647,
    completionMode: 'NonIndexed',
    suspend: false,
    podReplacementPolicy: (spec['podFailurePolicy'] ?? undefined) === undefined ? 'TerminatingOrFailed' : 'Failed',
    manualSelector: false,
  });
  const labels = (structAt(structAt(spec, 'template'), 'metadata')['labels'] as Fields | undefined) ?? {};
  if (!isZero(labels)) fillPointer(structAt(struct, 'metadata'), 'labels', { ...labels });
}

function cronJob(struct: Fields): void {
  const spec = structAt(struct, 'spec');
  fill(spec, 'concurrencyPolicy', 'Allow');
  fillPointers(spec, { suspend: false, successfulJobsHistoryLimit: 3, failedJobsHistoryLimit: 1 });
}

function horizontalPodAutoscaler(struct: Fields): void {
  const spec = structAt(struct, 'spec');
  fillPointer(spec, 'minReplicas', 1);
  if (isZero(spec['metrics']))
    spec['metrics'] = [
      { type: 'Resource', resource: { name: 'cpu', target: { type: 'Utilization', averageUtilization: 80 } } },
    ];
  const behavior = spec['behavior'] as Fields | undefined;
  if (!behavior) return;
  const percent = { type: 'Percent', value: 100, periodSeconds: 15 };
  const up = {
    stabilizationWindowSeconds: 0,
    selectPolicy: 'Max',
    policies: [{ type: 'Pods', value: 4, periodSeconds: 15 }, percent],
  };
  behavior['scaleUp'] = { ...up, ...(behavior['scaleUp'] as Fields | undefined) };
  behavior['scaleDown'] = {
    selectPolicy: 'Max',
    policies: [percent],
    ...(behavior['scaleDown'] as Fields | undefined),
  };
}

/** Defaults of apps, batch and autoscaling. */
export const workloadDefaults: Readonly<Record<string, SetDefaults>> = {
  'io.k8s.api.apps.v1.Deployment': deployment,
  'io.k8s.api.apps.v1.DaemonSet': daemonSet,
  'io.k8s.api.apps.v1.StatefulSet': statefulSet,
  'io.k8s.api.apps.v1.ReplicaSet': (struct) => fillPointer(structAt(struct, 'spec'), 'replicas', 1),
  'io.k8s.api.batch.v1.Job': job,
  'io.k8s.api.batch.v1.CronJob': cronJob,
  'io.k8s.api.batch.v1.PodFailurePolicyOnPodConditionsPattern': (struct) => fill(struct, 'status', 'True'),
  'io.k8s.api.autoscaling.v1.HorizontalPodAutoscaler': (struct) =>
    fillPointers(structAt(struct, 'spec'), { minReplicas: 1, targetCPUUtilizationPercentage: 80 }),
  'io.k8s.api.autoscaling.v2.HorizontalPodAutoscaler': horizontalPodAutoscaler,
};
