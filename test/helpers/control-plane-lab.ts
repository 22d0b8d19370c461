import { startControllers } from '../../src/controllers/start-controllers.ts';
import { SharedInformers } from '../../src/kube/informers.ts';
import { startScheduler } from '../../src/scheduler/start-scheduler.ts';
import { type ApiServerLab, SERVICE_CIDRS, startApiServerLab } from './api-server-lab.ts';
import { HollowKubelets } from './hollow-kubelet.ts';
import { LocalKubelet } from './local-kubelet.ts';
import { seededRandom } from './seeded-random.ts';
import { systemClock } from './system-clock.ts';

/** A whole control plane with two hollow nodes: API server, controllers, scheduler; no network. */
export interface ControlPlaneLab extends AsyncDisposable {
  readonly api: ApiServerLab;
  /** What went wrong inside and was tried again. */
  readonly failures: unknown[];
}

/** Starts it; resolves when the nodes are there and the first lists are in. */
export async function startControlPlaneLab(): Promise<ControlPlaneLab> {
  await using stack = new AsyncDisposableStack();
  const failures: unknown[] = [];
  const onError = (failure: unknown): void => void failures.push(failure);
  const api = stack.use(await startApiServerLab({ kubelet: new LocalKubelet(), onError }));
  const { server, certificates } = api;
  const informers = stack.use(new SharedInformers(server.client('informers'), systemClock));
  const shared = { informers, clock: systemClock, random: seededRandom(11), onError };
  const kinds = {
    list: () => server.registry.all().map(({ type }) => type),
    onChange: (listener: () => void) => server.registry.onChange(listener),
  };
  stack.use(
    await startControllers({
      ...shared,
      client: server.client('kube-controller-manager'),
      config: {
        serviceCIDRs: SERVICE_CIDRS,
        apiServer: ['192.168.0.10'],
        caCertificate: certificates.ca.cert,
        servedKinds: kinds,
      },
    }),
  );
  stack.use(await startScheduler({ ...shared, client: server.client('kube-scheduler') }));
  const kubelets = stack.use(new HollowKubelets(server.client('kubelet'), ['node-a', 'node-b']));
  await kubelets.start();
  await informers.start();
  const disposable = stack.move();
  return { api, failures, [Symbol.asyncDispose]: () => disposable.disposeAsync() };
}
