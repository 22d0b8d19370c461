import { describe, expect, test } from 'vitest';
import { shouldRestart } from '../../../../src/kubelet/container/should-restart.ts';
import { buildPod } from '../../../helpers/build-objects.ts';

const spec = { name: 'main' };

describe('a container that has ended', () => {
  test.each([
    ['Always', 'regular', 0, true],
    ['Always', 'regular', 1, true],
    ['OnFailure', 'regular', 0, false],
    ['OnFailure', 'regular', 1, true],
    ['Never', 'regular', 1, false],
    ['Always', 'init', 0, false],
    ['Always', 'init', 1, true],
    ['Never', 'init', 1, false],
    ['Never', 'sidecar', 0, true],
    ['Always', 'ephemeral', 1, false],
  ] as const)(
    'with policy %s, kind %s and exit code %i is restarted: %s',
    (restartPolicy, kind, exitCode, expected) => {
      expect(shouldRestart(buildPod({ spec: { restartPolicy } }), { kind, spec }, exitCode)).toBe(expected);
    },
  );

  test('follows its own policy and rules before those of the pod', () => {
    const pod = buildPod({ spec: { restartPolicy: 'Never' } });
    const restartPolicyRules = [{ action: 'Restart', exitCodes: { operator: 'In', values: [42] } }];
    const own = { kind: 'regular', spec: { ...spec, restartPolicy: 'Never', restartPolicyRules } } as const;
    expect(shouldRestart(pod, own, 42)).toBe(true);
    expect(shouldRestart(pod, own, 1)).toBe(false);
    expect(shouldRestart(pod, { kind: 'regular', spec: { ...spec, restartPolicy: 'OnFailure' } }, 1)).toBe(true);
  });
});
