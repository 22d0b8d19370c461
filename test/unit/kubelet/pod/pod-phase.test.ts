import { describe, expect, test } from 'vitest';
import type { ContainerState, ContainerStatus, PodSpec } from '../../../../src/kube/generated/types.ts';
import { podPhase } from '../../../../src/kubelet/pod/pod-phase.ts';
import { buildPod } from '../../../helpers/build-objects.ts';

const states: Record<string, { readonly state?: ContainerState; readonly lastState?: ContainerState }> = {
  running: { state: { running: {} } },
  waiting: { state: { waiting: { reason: 'ContainerCreating' } } },
  done: { state: { terminated: { exitCode: 0 } } },
  failed: { state: { terminated: { exitCode: 1 } } },
  backoff: { state: { waiting: { reason: 'CrashLoopBackOff' } }, lastState: { terminated: { exitCode: 1 } } },
};

function phase(
  spec: Partial<PodSpec>,
  init: readonly string[],
  regular: readonly string[],
  isTerminal = false,
): string {
  const status = (state: string, i: number): ContainerStatus => ({
    name: `c${i}`,
    image: '',
    imageID: '',
    ready: false,
    restartCount: 0,
    started: state === 'running',
    ...states[state],
  });
  const named = (list: readonly string[]) => list.map((_, i) => ({ name: `c${i}` }));
  const pod = buildPod({ spec: { initContainers: named(init), containers: named(regular), ...spec } });
  return podPhase({
    pod,
    initContainerStatuses: init.map(status),
    containerStatuses: regular.map(status),
    hasInitialized: regular.some((state) => state !== 'waiting'),
    isTerminal,
  });
}

describe('the phase of a pod', () => {
  test.each([
    ['Always', [], ['running', 'running'], 'Running'],
    ['Always', [], ['running', 'waiting'], 'Pending'],
    ['Always', [], ['running', 'failed'], 'Running'],
    ['Always', [], ['backoff'], 'Running'],
    ['Always', [], ['done', 'done'], 'Running'],
    ['OnFailure', [], ['done', 'done'], 'Succeeded'],
    ['OnFailure', [], ['done', 'failed'], 'Running'],
    ['Never', [], ['done', 'failed'], 'Failed'],
    ['Never', [], ['done', 'running'], 'Running'],
    ['Never', [], ['done', 'done'], 'Succeeded'],
    ['Always', ['running'], ['waiting'], 'Pending'],
    ['Always', ['done'], ['running'], 'Running'],
    ['Always', ['failed'], ['waiting'], 'Pending'],
    ['Never', ['failed'], ['waiting'], 'Failed'],
    ['Always', ['backoff'], ['waiting'], 'Pending'],
  ] as const)(
    'with policy %s, init containers %j and containers %j is %s',
    (restartPolicy, init, regular, expected) => {
      expect(phase({ restartPolicy }, init, regular)).toBe(expected);
    },
  );

  test('of a pod that is being deleted is final when all containers have ended, whatever the policy', () => {
    expect(phase({ restartPolicy: 'Always' }, [], ['done'], true)).toBe('Succeeded');
    expect(phase({ restartPolicy: 'Always' }, [], ['failed'], true)).toBe('Failed');
  });
});
