import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { nodeOf } from '../../../../src/controllers/daemon-set/daemon-nodes.ts';
import { startDaemonSetController } from '../../../../src/controllers/daemon-set/daemon-set-controller.ts';
import type { DaemonSet, DaemonSetSpec, Pod } from '../../../../src/kube/generated/types.ts';
import { resources } from '../../../../src/kube/resources.ts';
import { timestampOf } from '../../../../src/kube/timestamp.ts';
import { buildNode, buildPodTemplate, type NodeOptions } from '../../../helpers/build-objects.ts';
import { ControllerHarness } from '../../../helpers/controller-harness.ts';

const build = (spec: Partial<DaemonSetSpec> = {}): DaemonSet => ({
  metadata: { name: 'agent', namespace: 'default', uid: 'ds' },
  spec: {
    selector: { matchLabels: { app: 'web' } },
    template: buildPodTemplate(),
    updateStrategy: { type: 'RollingUpdate' },
    ...spec,
  },
});

describe('DaemonSet', () => {
  let harness: ControllerHarness;
  let ready: (pod: Pod) => boolean;
  beforeEach(() => {
    harness = new ControllerHarness();
    ready = () => true;
    const { client, informers, clock } = harness;
    for (const name of ['a', 'b', 'c']) client.put(resources.nodes, buildNode({ name }));
    // Scheduler and kubelet: a pod goes where it is pinned.
    informers.for(resources.pods).onChange(({ key, current: pod }) => {
      if (pod?.metadata?.deletionTimestamp !== undefined) client.remove(resources.pods, key);
      else if (pod !== undefined && !pod.spec?.nodeName) {
        const condition = {
          type: 'Ready',
          status: ready(pod) ? 'True' : 'False',
          lastTransitionTime: timestampOf(clock.now()),
        };
        client.put(resources.pods, {
          ...pod,
          spec: { ...pod.spec!, nodeName: nodeOf(pod) },
          status: { phase: 'Running', conditions: [condition] },
        });
      }
    });
  });
  afterEach(() => harness[Symbol.dispose]());

  const start = async (spec: Partial<DaemonSetSpec> = {}) => {
    harness.client.put(resources.daemonSets, build(spec));
    await harness.start(startDaemonSetController);
  };
  const set = () => harness.client.peek(resources.daemonSets, 'default/agent')!;
  const placed = () =>
    harness.client
      .all(resources.pods)
      .map(({ spec }) => `${spec?.nodeName}:${spec?.containers[0]?.image}`)
      .sort();
  const change = async (spec: Partial<DaemonSetSpec>) => {
    await harness.client.update(resources.daemonSets, { ...set(), spec: { ...set().spec!, ...spec } });
    await harness.settle();
  };
  const node = async (name: string, options: NodeOptions = {}) => {
    harness.client.put(resources.nodes, buildNode({ name, ...options }));
    await harness.settle();
  };

  test('every node has one pod, a new node gets one too', async () => {
    await start();
    await node('d');
    expect(placed()).toEqual(['a:agnhost', 'b:agnhost', 'c:agnhost', 'd:agnhost']);
    expect(set().status).toMatchObject({
      currentNumberScheduled: 4,
      desiredNumberScheduled: 4,
      numberReady: 4,
      numberAvailable: 4,
      numberUnavailable: 0,
      numberMisscheduled: 0,
      updatedNumberScheduled: 4,
      observedGeneration: 1,
    });
    expect(harness.failures).toEqual([]);
  });

  test('nodeSelector and taints rule nodes out, cordoning and pressure do not', async () => {
    await node('a', { spec: { taints: [{ key: 'k', effect: 'NoSchedule' }] } });
    await node('b', {
      spec: {
        unschedulable: true,
        taints: [
          { key: 'node.kubernetes.io/unschedulable', effect: 'NoSchedule' },
          { key: 'node.kubernetes.io/not-ready', effect: 'NoExecute' },
        ],
      },
    });
    await start();
    expect(placed()).toEqual(['b:agnhost', 'c:agnhost']);
    expect(set().status?.desiredNumberScheduled).toBe(2);
  });

  test('a NoSchedule taint leaves a running pod, a NoExecute taint or a lost label removes it', async () => {
    await start();
    await node('a', { spec: { taints: [{ key: 'k', effect: 'NoSchedule' }] } });
    expect(placed()).toHaveLength(3);
    expect(set().status?.numberMisscheduled).toBe(1);
    await node('a', { spec: { taints: [{ key: 'k', effect: 'NoExecute' }] } });
    expect(placed()).toEqual(['b:agnhost', 'c:agnhost']);
    await change({
      template: { ...buildPodTemplate(), spec: { ...buildPodTemplate().spec!, nodeSelector: { disk: 'ssd' } } },
    });
    expect(placed()).toEqual([]);
    await node('b', { labels: { disk: 'ssd' } });
    expect(placed()).toEqual(['b:agnhost']);
  });

  test('a rolling update takes one node after the other', async () => {
    await start();
    let fewest = 3;
    harness.informers.for(resources.pods).onChange(() => {
      const serving = harness.client
        .all(resources.pods)
        .filter(({ status }) => status?.conditions?.[0]?.status === 'True');
      fewest = Math.min(fewest, serving.length);
    });
    await change({ template: buildPodTemplate('v2') });
    expect(placed()).toEqual(['a:v2', 'b:v2', 'c:v2']);
    expect(fewest).toBe(2);
  });

  test('a rolling update stops at maxUnavailable', async () => {
    ready = (pod) => pod.spec?.containers[0]?.image !== 'bad';
    await start({ updateStrategy: { type: 'RollingUpdate', rollingUpdate: { maxUnavailable: 2 } } });
    await change({ template: buildPodTemplate('bad') });
    expect(placed().filter((pod) => pod.endsWith('bad'))).toHaveLength(2);
  });

  test('with maxSurge the new pod is there before the old one goes', async () => {
    await start({ updateStrategy: { type: 'RollingUpdate', rollingUpdate: { maxSurge: 1, maxUnavailable: 0 } } });
    let fewest = 3;
    harness.informers.for(resources.pods).onChange(() => {
      fewest = Math.min(
        fewest,
        harness.client.all(resources.pods).filter(({ status }) => status?.conditions?.[0]?.status === 'True').length,
      );
    });
    await change({ template: buildPodTemplate('v2') });
    expect(placed()).toEqual(['a:v2', 'b:v2', 'c:v2']);
    expect(fewest).toBe(3);
  });

  test('OnDelete exchanges only what is deleted', async () => {
    await start({ updateStrategy: { type: 'OnDelete' } });
    await change({ template: buildPodTemplate('v2') });
    expect(placed()).toEqual(['a:agnhost', 'b:agnhost', 'c:agnhost']);
    const [first] = harness.client.all(resources.pods);
    await harness.client.delete(resources.pods, { namespace: 'default', name: first!.metadata!.name! });
    await harness.settle();
    expect(placed().filter((pod) => pod.endsWith('v2'))).toHaveLength(1);
  });

  test('a failed pod is replaced, and revisions are kept for undo', async () => {
    await start();
    const [first] = harness.client.all(resources.pods);
    harness.client.put(resources.pods, { ...first!, status: { phase: 'Failed' } });
    await harness.settle();
    expect(harness.client.all(resources.pods).map(({ status }) => status?.phase)).toEqual([
      'Running',
      'Running',
      'Running',
    ]);
    await change({ template: buildPodTemplate('v2') });
    expect(
      harness.client
        .all(resources.controllerRevisions)
        .map(({ revision }) => revision)
        .sort(),
    ).toEqual([1, 2]);
  });

  test('heartbeats of nodes cost nothing', async () => {
    await start();
    const before = harness.client.actions.length;
    await node('a', {
      status: { conditions: [{ type: 'Ready', status: 'True', lastHeartbeatTime: '2026-01-01T00:01:00Z' }] },
    });
    expect(harness.client.actions.length).toBe(before);
  });
});
