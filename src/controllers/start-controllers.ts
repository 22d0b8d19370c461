import type { KubeClient } from '../kube/client.ts';
import type { Clock, Random } from '../kube/clock.ts';
import type { SharedInformers } from '../kube/informers.ts';
import { builtinKinds } from './builtin-kinds.ts';
import type { ControllersConfig } from './config.ts';
import { startCronJobController } from './cron-job/cron-job-controller.ts';
import { startDaemonSetController } from './daemon-set/daemon-set-controller.ts';
import { startDeploymentController } from './deployment/deployment-controller.ts';
import { startDisruptionController } from './disruption/disruption-controller.ts';
import { startEndpointSliceController } from './endpoint-slice/endpoint-slice-controller.ts';
import { startEndpointSliceMirroringController } from './endpoint-slice-mirroring/mirroring-controller.ts';
import { startEndpointsController } from './endpoints/endpoints-controller.ts';
import { startGarbageCollector } from './garbage-collector/garbage-collector.ts';
import { startJobController } from './job/job-controller.ts';
import { startTTLAfterFinishedController } from './job/ttl-after-finished-controller.ts';
import { startKubernetesServiceController } from './kubernetes-service/kubernetes-service-controller.ts';
import { startLoadBalancerController } from './load-balancer/load-balancer-controller.ts';
import type { ControllerContext, ControllerFailure, Worker } from './loop/controller-context.ts';
import { createSharedIndexes } from './loop/shared-indexes.ts';
import { startNamespaceController } from './namespace/namespace-controller.ts';
import { startNodeIPAMController } from './node-ipam/node-ipam-controller.ts';
import { startNodeLifecycleController } from './node-lifecycle/node-lifecycle-controller.ts';
import { startTaintEvictionController } from './node-lifecycle/taint-eviction-controller.ts';
import { startPodGarbageCollector } from './pod-gc/pod-gc-controller.ts';
import { startReplicaSetController } from './replica-set/replica-set-controller.ts';
import { startRootCAPublisher, startServiceAccountController } from './service-account/per-namespace-controllers.ts';
import { ensureServiceCIDR } from './service-cidr/ensure-service-cidr.ts';
import { startStatefulSetController } from './stateful-set/stateful-set-controller.ts';

export interface ControllersOptions {
  readonly client: KubeClient;
  readonly informers: SharedInformers;
  readonly clock: Clock;
  readonly random: Random;
  readonly config: ControllersConfig;
  /** Told of every reconcile that failed and will be tried again; races that mend themselves are not told. */
  readonly onError: (failure: ControllerFailure) => void;
}

/**
 * Starts all controllers; resolves when the first lists are in. Rejects with UserError for address ranges that cannot be used,
 * and with what the client says when it cannot write.
 */
export async function startControllers(options: ControllersOptions): Promise<AsyncDisposable & Worker> {
  const { client, informers, clock, config } = options;
  const ready = Promise.withResolvers<void>();
  const workers = new Set<Worker>();
  const indexes = createSharedIndexes(informers);
  const context: ControllerContext = { ...options, indexes, synced: ready.promise, workers };
  const running = controllersOf(config).map((start) => start(context));
  const stop = (): void => {
    for (const controller of running) controller[Symbol.dispose]();
  };
  try {
    await ensureServiceCIDR(client, config.serviceCIDRs, clock.now());
    await informers.start();
  } catch (error) {
    stop();
    throw error;
  }
  ready.resolve();
  return {
    get isIdle() {
      return [...workers].every(({ isIdle }) => isIdle);
    },
    [Symbol.asyncDispose]: async () => stop(),
  };
}

type Start = (context: ControllerContext) => Disposable;

// Services' endpoints come first: their handlers see a change of a pod before anybody else does.
function controllersOf(config: ControllersConfig): readonly Start[] {
  const kinds = config.servedKinds ?? builtinKinds;
  const { maxEndpointsPerSlice = 100, endpointBatchPeriodMs = 0 } = config;
  return [
    (context) => startEndpointSliceController(context, { maxEndpointsPerSlice, batchPeriodMs: endpointBatchPeriodMs }),
    startEndpointsController,
    startEndpointSliceMirroringController,
    startReplicaSetController,
    startDeploymentController,
    startStatefulSetController,
    startDaemonSetController,
    startJobController,
    startCronJobController,
    startTTLAfterFinishedController,
    startDisruptionController,
    startServiceAccountController,
    (context) => startRootCAPublisher(context, config.caCertificate),
    (context) => startKubernetesServiceController(context, config),
    (context) => startLoadBalancerController(context, config),
    (context) => startNodeIPAMController(context, config.podCIDRs ?? []),
    (context) => startNodeLifecycleController(context, { graceSeconds: config.nodeMonitorGraceSeconds }),
    startTaintEvictionController,
    startPodGarbageCollector,
    (context) => startNamespaceController(context, kinds),
    (context) => startGarbageCollector(context, kinds),
  ];
}
