import { describe, expect, test } from 'vitest';
import type { ConfigMap, Container, Pod, PodSpec } from '../../../../src/kube/generated/types.ts';
import { builtinImages } from '../../../../src/kubelet/images/builtin-images.ts';
import { ImageStore } from '../../../../src/kubelet/images/image-store.ts';
import type { NodeWorld } from '../../../../src/kubelet/pod/node-world.ts';
import { PodWorker } from '../../../../src/kubelet/pod/pod-worker.ts';
import { buildPod } from '../../../helpers/build-objects.ts';
import { FakePodRuntime } from '../../../helpers/fake-pod-runtime.ts';
import { seededRandom } from '../../../helpers/seeded-random.ts';
import { SteppedClock, settled } from '../../../helpers/stepped-clock.ts';

const busybox = (name: string, extra: Partial<Container> = {}): Container => ({ name, image: 'busybox', ...extra });

class Bench {
  readonly clock = new SteppedClock();
  readonly runtime = new FakePodRuntime();
  readonly events: string[] = [];
  readonly errors: unknown[] = [];
  readonly configMaps = new Map<string, ConfigMap>();
  readonly worker: PodWorker;
  pod: Pod;
  stopped = 0;
  writes = 0;

  constructor(spec: Partial<PodSpec>, options: { readonly status?: Pod['status'] } = {}) {
    const { status = { phase: 'Pending' } } = options;
    this.pod = { ...buildPod({ name: 'web', uid: 'u1', nodeName: 'node-1', ips: [], spec }), status };
    const world: NodeWorld = {
      nodeName: 'node-1',
      hostIPs: ['172.18.0.2'],
      resources: { cpu: '2', memory: '4Gi', 'ephemeral-storage': '1Gi' },
      clock: this.clock,
      random: seededRandom(),
      runtime: this.runtime,
      images: new ImageStore(builtinImages),
      objects: { configMap: (key) => this.configMaps.get(key), secret: () => undefined, services: () => [] },
      dial: () => {
        throw new Error('no network here');
      },
      recordEvent: (_pod, { type, reason, message }) => void this.events.push(`${type} ${reason} ${message}`),
      turn: async () => {},
      logLimitBytes: 1000,
    };
    this.worker = new PodWorker(this.pod, world, {
      onStatus: () => void this.writes++,
      onStopped: () => void this.stopped++,
      onError: (error) => void this.errors.push(error),
    });
  }

  async start(): Promise<this> {
    this.worker.update(this.pod);
    await settled();
    return this;
  }

  async change(change: { readonly metadata?: object; readonly spec?: object }): Promise<void> {
    const { metadata, spec } = this.pod;
    this.pod = { ...this.pod, metadata: { ...metadata, ...change.metadata }, spec: { ...spec!, ...change.spec } };
    this.worker.update(this.pod);
    await settled();
  }

  delete(graceSeconds: number): Promise<void> {
    return this.change({
      metadata: { deletionTimestamp: '2026-01-01T00:00:00Z', deletionGracePeriodSeconds: graceSeconds },
    });
  }

  async exit(name: string, exitCode: number): Promise<void> {
    this.runtime.get(name).exit(exitCode);
    await settled();
  }

  condition(type: string): string | undefined {
    return this.worker.status.conditions?.find((condition) => condition.type === type)?.status;
  }

  container(name: string) {
    const { containerStatuses = [], initContainerStatuses = [], ephemeralContainerStatuses = [] } = this.worker.status;
    return [...containerStatuses, ...initContainerStatuses, ...ephemeralContainerStatuses].find(
      (each) => each.name === name,
    );
  }
}

describe('a pod that is bound', () => {
  test('runs and is Ready in one status, with the kubelet’s events', async () => {
    const bench = await new Bench({ containers: [busybox('a'), busybox('b')] }).start();
    expect(bench.writes).toBe(1);
    expect(bench.worker.status).toMatchObject({
      phase: 'Running',
      podIP: '10.244.0.2',
      podIPs: [{ ip: '10.244.0.2' }],
      hostIP: '172.18.0.2',
      startTime: '2026-01-01T00:00:00Z',
      qosClass: 'BestEffort',
    });
    expect(bench.worker.status.conditions?.map(({ type, status }) => `${type}=${status}`)).toEqual([
      'PodReadyToStartContainers=True',
      'Initialized=True',
      'Ready=True',
      'ContainersReady=True',
      'PodScheduled=True',
    ]);
    expect(bench.container('a')).toMatchObject({ ready: true, started: true, restartCount: 0, state: { running: {} } });
    expect(bench.events.slice(0, 3)).toEqual([
      'Normal Pulled Container image "busybox" already present on machine',
      'Normal Created Created container: a',
      'Normal Started Started container a',
    ]);
    expect(bench.clock.pending).toBe(0);
  });

  test('has no timer while nothing is to be done', async () => {
    const bench = await new Bench({ containers: [busybox('a')] }).start();
    await bench.clock.step(3_600_000);
    expect(bench.clock.pending).toBe(0);
    expect(bench.writes).toBe(1);
  });

  test('waits and tries again when its network cannot be made', async () => {
    const bench = new Bench({ containers: [busybox('a')] });
    bench.runtime.sandboxFailure = new Error('no IP addresses available in range set: 10.244.0.0/30');
    await bench.start();
    expect(bench.events).toEqual([
      'Warning FailedCreatePodSandBox Failed to create pod sandbox: no IP addresses available in range set: 10.244.0.0/30',
    ]);
    expect(bench.worker.status.phase).toBe('Pending');
    expect(bench.condition('PodReadyToStartContainers')).toBe('False');
    await bench.clock.step(1_000);
    expect(bench.worker.status.phase).toBe('Running');
  });

  test('waits for a ConfigMap that a volume needs, and starts when it is there', async () => {
    const volumes = [{ name: 'v', configMap: { name: 'config' } }];
    const bench = await new Bench({ containers: [busybox('a')], volumes }).start();
    expect(bench.events).toEqual([
      'Warning FailedMount MountVolume.SetUp failed for volume "v" : configmap "config" not found',
    ]);
    expect(bench.runtime.sandboxes).toBe(0);
    expect(bench.container('a')?.state?.waiting?.reason).toBe('ContainerCreating');
    bench.configMaps.set('default/config', { data: {} });
    bench.worker.objectsChanged();
    await settled();
    expect(bench.worker.status.phase).toBe('Running');
  });
});

describe('a container that ends', () => {
  test('is restarted at once, then after 10 s, 20 s, and shows CrashLoopBackOff meanwhile', async () => {
    const bench = await new Bench({ containers: [busybox('a')] }).start();
    await bench.exit('a', 1);
    expect(bench.container('a')).toMatchObject({
      restartCount: 1,
      state: { running: {} },
      lastState: { terminated: { exitCode: 1, reason: 'Error' } },
    });
    await bench.exit('a', 1);
    expect(bench.container('a')).toMatchObject({
      ready: false,
      restartCount: 1,
      state: {
        waiting: {
          reason: 'CrashLoopBackOff',
          message: 'back-off 10s restarting failed container=a pod=web_default(u1)',
        },
      },
    });
    expect(bench.worker.status.phase).toBe('Running');
    expect(bench.condition('Ready')).toBe('False');
    expect(bench.events.at(-1)).toBe('Warning BackOff Back-off restarting failed container a in pod web_default(u1)');
    await bench.change({ metadata: { labels: { touched: 'yes' } } });
    expect(bench.events.filter((event) => event.includes('BackOff'))).toHaveLength(1);
    await bench.clock.step(9_999);
    expect(bench.runtime.started).toHaveLength(2);
    await bench.clock.step(1);
    expect(bench.runtime.started).toHaveLength(3);
    await bench.exit('a', 0);
    await bench.clock.step(19_999);
    expect(bench.runtime.started).toHaveLength(3);
    await bench.clock.step(1);
    expect(bench.runtime.started).toHaveLength(4);
  });

  test('is not restarted when the policy is Never: the pod Succeeds or Fails', async () => {
    for (const [exitCode, phase] of [
      [0, 'Succeeded'],
      [3, 'Failed'],
    ] as const) {
      const bench = await new Bench({ restartPolicy: 'Never', containers: [busybox('a'), busybox('b')] }).start();
      await bench.exit('a', 0);
      expect(bench.worker.status.phase).toBe('Running');
      await bench.exit('b', exitCode);
      expect(bench.worker.status.phase).toBe(phase);
      expect(bench.runtime.sandboxes).toBe(0);
      expect(bench.worker.status.podIP).toBe('10.244.0.2');
      expect(bench.stopped).toBe(0);
      await bench.delete(0);
      expect(bench.stopped).toBe(1);
    }
  });

  test('that could not start counts as exit code 128', async () => {
    const bench = new Bench({ restartPolicy: 'Never', containers: [busybox('a')] });
    bench.runtime.unstartable.add('a');
    await bench.start();
    expect(bench.worker.status.phase).toBe('Failed');
    expect(bench.container('a')?.state?.terminated).toMatchObject({ exitCode: 128, reason: 'StartError' });
    expect(bench.events.at(-1)).toBe('Warning Failed Error: exec: "a": executable file not found in $PATH');
  });

  test('leaves its message in the status', async () => {
    const bench = await new Bench({ restartPolicy: 'Never', containers: [busybox('a')] }).start();
    bench.runtime.get('a').exit(1, 'out of luck');
    await settled();
    expect(bench.container('a')?.state?.terminated?.message).toBe('out of luck');
  });
});

describe('an image that cannot be had', () => {
  test('is asked for again, later each time', async () => {
    const bench = await new Bench({ containers: [{ name: 'a', image: 'example.com/x:1' }] }).start();
    const reason = () => bench.container('a')?.state?.waiting?.reason;
    expect(reason()).toBe('ErrImagePull');
    await bench.clock.step(2_000);
    expect(reason()).toBe('ImagePullBackOff');
    await bench.clock.step(8_000);
    expect(reason()).toBe('ErrImagePull');
    await bench.clock.step(2_000);
    expect(reason()).toBe('ImagePullBackOff');
    await bench.clock.step(17_999);
    expect(reason()).toBe('ImagePullBackOff');
    await bench.clock.step(1);
    expect(reason()).toBe('ErrImagePull');
    expect(bench.worker.status.phase).toBe('Pending');
    expect(bench.events.filter((event) => event.includes('Error: ErrImagePull'))).toHaveLength(3);
  });
});

describe('init containers', () => {
  const spec = {
    initContainers: [busybox('first'), busybox('side', { restartPolicy: 'Always' }), busybox('second')],
    containers: [busybox('main')],
  };

  test('run one by one; a sidecar goes on beside the rest', async () => {
    const bench = await new Bench(spec).start();
    expect(bench.runtime.names).toEqual(['first']);
    expect(bench.container('main')?.state?.waiting?.reason).toBe('PodInitializing');
    expect(bench.worker.status.phase).toBe('Pending');
    await bench.exit('first', 0);
    expect(bench.runtime.names).toEqual(['first', 'side', 'second']);
    await bench.exit('second', 0);
    expect(bench.runtime.names).toEqual(['first', 'side', 'second', 'main']);
    expect(bench.condition('Initialized')).toBe('True');
    expect(bench.worker.status.phase).toBe('Running');
    expect(bench.container('first')).toMatchObject({ ready: true, state: { terminated: { reason: 'Completed' } } });
  });

  test('that fail are repeated, unless the policy is Never', async () => {
    const bench = await new Bench(spec).start();
    await bench.exit('first', 1);
    expect(bench.runtime.names).toEqual(['first', 'first']);
    await bench.exit('first', 1);
    expect(bench.container('first')?.state?.waiting?.reason).toBe('CrashLoopBackOff');
    const never = await new Bench({ ...spec, restartPolicy: 'Never' }).start();
    await never.exit('first', 1);
    expect(never.worker.status.phase).toBe('Failed');
  });

  test('a sidecar holds the next ones back until it has started', async () => {
    const startupProbe = { exec: { command: ['check'] }, periodSeconds: 5 };
    const slow = {
      ...spec,
      initContainers: [busybox('side', { restartPolicy: 'Always', startupProbe }), busybox('second')],
    };
    const bench = new Bench(slow);
    let exitCode = 1;
    bench.runtime.onStart = (container) => {
      container.execResult = () => ({ exitCode });
    };
    await bench.start();
    expect(bench.runtime.names).toEqual(['side']);
    exitCode = 0;
    await bench.clock.step(5_000);
    expect(bench.runtime.names).toEqual(['side', 'second']);
  });

  test('a sidecar that ends is restarted, and stops after the main container is done', async () => {
    const bench = await new Bench({ ...spec, restartPolicy: 'Never' }).start();
    await bench.exit('first', 0);
    await bench.exit('second', 0);
    await bench.exit('side', 1);
    expect(bench.runtime.names.filter((name) => name === 'side')).toHaveLength(2);
    await bench.exit('main', 0);
    expect(bench.runtime.get('side').signals).toEqual(['SIGTERM']);
    expect(bench.worker.status.phase).toBe('Succeeded');
  });
});

describe('deleting', () => {
  test('stops containers with SIGTERM and tells when nothing is left', async () => {
    const bench = await new Bench({ containers: [busybox('a')] }).start();
    bench.runtime.get('a').ignored = ['SIGTERM'];
    await bench.delete(30);
    expect(bench.runtime.get('a').signals).toEqual(['SIGTERM']);
    expect(bench.condition('Ready')).toBe('True');
    expect(bench.events.at(-1)).toBe('Normal Killing Stopping container a');
    await bench.clock.step(29_999);
    expect(bench.stopped).toBe(0);
    await bench.clock.step(1);
    expect(bench.runtime.get('a').signals).toEqual(['SIGTERM', 'SIGKILL']);
    expect(bench.container('a')?.state?.terminated?.exitCode).toBe(137);
    expect(bench.condition('Ready')).toBe('False');
    expect([bench.stopped, bench.runtime.sandboxes]).toEqual([1, 0]);
    expect(bench.clock.pending).toBe(0);
  });

  test('again with a shorter grace period shortens it', async () => {
    const bench = await new Bench({ containers: [busybox('a')] }).start();
    bench.runtime.get('a').ignored = ['SIGTERM'];
    await bench.delete(30);
    await bench.clock.step(5_000);
    await bench.delete(1);
    await bench.clock.step(1_000);
    expect(bench.stopped).toBe(1);
  });

  test('without grace kills at once', async () => {
    const bench = await new Bench({ containers: [busybox('a')] }).start();
    await bench.delete(0);
    expect(bench.runtime.get('a').signals).toEqual(['SIGKILL']);
    expect(bench.stopped).toBe(1);
  });

  test('runs the preStop hook first, and its time counts', async () => {
    const lifecycle = { preStop: { sleep: { seconds: 25 } } };
    const bench = await new Bench({ containers: [busybox('a', { lifecycle })] }).start();
    bench.runtime.get('a').ignored = ['SIGTERM'];
    await bench.delete(30);
    await bench.clock.step(24_999);
    expect(bench.runtime.get('a').signals).toEqual([]);
    await bench.clock.step(1);
    expect(bench.runtime.get('a').signals).toEqual(['SIGTERM']);
    await bench.clock.step(5_000);
    expect(bench.runtime.get('a').signals).toEqual(['SIGTERM', 'SIGKILL']);
  });

  test('a hook that fails is told and does not keep the pod', async () => {
    const lifecycle = { preStop: { exec: { command: ['drain'] } } };
    const bench = new Bench({ containers: [busybox('a', { lifecycle })] });
    bench.runtime.onStart = (container) => {
      container.execResult = () => ({ exitCode: 4 });
    };
    await bench.start();
    await bench.delete(30);
    expect(bench.events.at(-1)).toBe(
      "Warning FailedPreStopHook PreStopHook failed: command 'drain' exited with 4: drain says 4",
    );
    expect(bench.stopped).toBe(1);
  });

  test('uses the stop signal of the container', async () => {
    const bench = await new Bench({ containers: [busybox('a', { lifecycle: { stopSignal: 'SIGUSR1' } })] }).start();
    await bench.delete(30);
    expect(bench.runtime.get('a').signals[0]).toBe('SIGUSR1');
  });

  test('stops sidecars after the others, the last one first', async () => {
    const always = { restartPolicy: 'Always' };
    const bench = await new Bench({
      initContainers: [busybox('s1', always), busybox('s2', always)],
      containers: [busybox('main')],
    }).start();
    const order: string[] = [];
    for (const container of bench.runtime.started) {
      void container.exited.then(() => order.push(container.start.container.spec.name));
    }
    await bench.delete(30);
    expect(order).toEqual(['main', 's2', 's1']);
  });

  test('while the pod still initialises starts nothing more', async () => {
    const bench = await new Bench({ initContainers: [busybox('init')], containers: [busybox('main')] }).start();
    await bench.delete(30);
    expect(bench.runtime.names).toEqual(['init']);
    expect(bench.stopped).toBe(1);
  });

  test('a pod that was removed from the API gets a second', async () => {
    const bench = await new Bench({ containers: [busybox('a')] }).start();
    bench.runtime.get('a').ignored = ['SIGTERM'];
    bench.worker.remove();
    await bench.clock.step(999);
    expect(bench.stopped).toBe(0);
    await bench.clock.step(1);
    expect(bench.stopped).toBe(1);
  });
});

describe('a postStart hook', () => {
  test('that fails ends the container', async () => {
    const lifecycle = { postStart: { exec: { command: ['setup'] } } };
    const bench = new Bench({ restartPolicy: 'Never', containers: [busybox('a', { lifecycle })] });
    bench.runtime.onStart = (container) => {
      container.execResult = () => ({ exitCode: 1 });
    };
    await bench.start();
    expect(bench.events).toContain(
      "Warning FailedPostStartHook PostStartHook failed: command 'setup' exited with 1: setup says 1",
    );
    expect(bench.worker.status.phase).toBe('Failed');
  });

  test('keeps later containers waiting', async () => {
    const lifecycle = { postStart: { sleep: { seconds: 3 } } };
    const bench = await new Bench({ containers: [busybox('a', { lifecycle }), busybox('b')] }).start();
    expect(bench.runtime.names).toEqual(['a']);
    expect(bench.container('a')).toMatchObject({ ready: false, state: { waiting: { reason: 'ContainerCreating' } } });
    expect(bench.worker.status.phase).toBe('Pending');
    await bench.clock.step(3_000);
    expect(bench.runtime.names).toEqual(['a', 'b']);
    expect(bench.container('a')).toMatchObject({ ready: true, state: { running: {} } });
  });
});

describe('a liveness probe that fails', () => {
  test('restarts the container after as many failures as it may have', async () => {
    const livenessProbe = { exec: { command: ['check'] }, periodSeconds: 5, failureThreshold: 2 };
    const bench = new Bench({ containers: [busybox('a', { livenessProbe })] });
    bench.runtime.onStart = (container) => {
      container.execResult = () => ({ exitCode: 1 });
    };
    await bench.start();
    expect(bench.events.at(-1)).toBe('Warning Unhealthy Liveness probe failed: check says 1');
    await bench.clock.step(5_000);
    expect(bench.events).toContain('Normal Killing Container a failed liveness probe, will be restarted');
    expect(bench.container('a')?.restartCount).toBe(1);
  });
});

describe('limits of a pod', () => {
  test('activeDeadlineSeconds ends it as DeadlineExceeded', async () => {
    const bench = await new Bench({ activeDeadlineSeconds: 60, containers: [busybox('a')] }).start();
    await bench.clock.step(60_000);
    expect(bench.worker.status).toMatchObject({
      phase: 'Failed',
      reason: 'DeadlineExceeded',
      message: 'Pod was active on the node longer than the specified deadline',
    });
    expect(bench.runtime.sandboxes).toBe(0);
  });

  test('a readiness gate keeps it unready until its condition is True', async () => {
    const bench = await new Bench({
      readinessGates: [{ conditionType: 'example.com/lb' }],
      containers: [busybox('a')],
    }).start();
    expect(bench.worker.status.conditions?.find(({ type }) => type === 'Ready')).toMatchObject({
      status: 'False',
      reason: 'ReadinessGatesNotReady',
      message: 'corresponding condition of pod readiness gate "example.com/lb" does not exist.',
    });
    bench.pod = { ...bench.pod, status: { conditions: [{ type: 'example.com/lb', status: 'True' }] } };
    bench.worker.update(bench.pod);
    await settled();
    expect(bench.condition('Ready')).toBe('True');
  });
});

describe('an ephemeral container', () => {
  test('is started in a running pod and not restarted', async () => {
    const bench = await new Bench({ containers: [busybox('a')] }).start();
    await bench.change({ spec: { ephemeralContainers: [busybox('debug', { command: ['sh'] })] } });
    expect(bench.runtime.names).toEqual(['a', 'debug']);
    await bench.exit('debug', 1);
    expect(bench.runtime.names).toEqual(['a', 'debug']);
    expect(bench.worker.status.ephemeralContainerStatuses?.[0]?.state?.terminated?.exitCode).toBe(1);
    expect(bench.condition('Ready')).toBe('True');
  });
});

describe('a pod of an earlier life of the kubelet', () => {
  const ran = (restartPolicy: string) =>
    new Bench(
      { restartPolicy, initContainers: [busybox('init')], containers: [busybox('a')] },
      {
        status: {
          phase: 'Running',
          startTime: '2025-12-31T00:00:00Z',
          podIP: '10.244.9.9',
          podIPs: [{ ip: '10.244.9.9' }],
          initContainerStatuses: [
            {
              name: 'init',
              image: '',
              imageID: '',
              ready: true,
              restartCount: 0,
              state: { terminated: { exitCode: 0 } },
            },
          ],
          containerStatuses: [
            { name: 'a', image: '', imageID: '', ready: true, restartCount: 4, state: { running: {} } },
          ],
        },
      },
    ).start();

  test('is started anew, and the restart counts', async () => {
    const bench = await ran('Always');
    expect(bench.runtime.names).toEqual(['init']);
    await bench.exit('init', 0);
    expect(bench.container('a')).toMatchObject({
      restartCount: 5,
      lastState: { terminated: { exitCode: 137, reason: 'ContainerStatusUnknown' } },
    });
    expect(bench.worker.status).toMatchObject({ startTime: '2025-12-31T00:00:00Z', podIP: '10.244.0.2' });
  });

  test('that must not be restarted has failed', async () => {
    const bench = await ran('Never');
    expect(bench.worker.status.phase).toBe('Failed');
  });

  test('that had ended stays as it was', async () => {
    const bench = await new Bench({ containers: [busybox('a')] }, { status: { phase: 'Succeeded' } }).start();
    expect(bench.runtime.started).toEqual([]);
    expect(bench.worker.status).toEqual({ phase: 'Succeeded' });
    expect(bench.writes).toBe(0);
    await bench.delete(0);
    expect(bench.stopped).toBe(1);
  });
});
