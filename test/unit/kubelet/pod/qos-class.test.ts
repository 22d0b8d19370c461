import { expect, test } from 'vitest';
import type { ResourceRequirements } from '../../../../src/kube/generated/types.ts';
import { qosClass } from '../../../../src/kubelet/pod/qos-class.ts';
import { buildPod } from '../../../helpers/build-objects.ts';

const full = { cpu: '1', memory: '1Gi' };

test.each([
  [[{}], 'BestEffort'],
  [[{ requests: { cpu: '0' } }], 'BestEffort'],
  [[{ requests: { 'example.com/gpu': '1' } }], 'BestEffort'],
  [[{ limits: full }], 'Guaranteed'],
  [[{ limits: full, requests: full }], 'Guaranteed'],
  [[{ limits: full, requests: { cpu: '500m', memory: '1Gi' } }], 'Burstable'],
  [[{ limits: { cpu: '1' } }], 'Burstable'],
  [[{ limits: full }, {}], 'Burstable'],
] as const)('containers with %j make a pod %s', (resources: readonly ResourceRequirements[], expected) => {
  const containers = resources.map((each, i) => ({ name: `c${i}`, resources: each }));
  expect(qosClass(buildPod({ spec: { containers } }))).toBe(expected);
});
