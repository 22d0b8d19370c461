import { describe, expect, test } from 'vitest';
import { matchesNodeSelection } from '../../../src/kube/node-affinity.ts';
import { controllerOf, controllerReferenceTo, isControlledBy } from '../../../src/kube/owner-references.ts';
import { milliValueOf } from '../../../src/kube/quantity.ts';
import { resources } from '../../../src/kube/resources.ts';
import { timeOf, timestampOf } from '../../../src/kube/timestamp.ts';
import { toleratesTaint, untoleratedTaint } from '../../../src/kube/tolerations.ts';
import { buildNode, buildPod, buildReplicaSet } from '../../helpers/build-objects.ts';

test.each([
  ['100m', 100],
  ['0.1', 100],
  ['1', 1000],
  ['1.5', 1500],
  ['2e3', 2_000_000],
  ['1Ki', 1_024_000],
  ['1.5Gi', 1_610_612_736_000],
  ['1n', 1],
  ['.5', 500],
  ['-1', -1000],
  [4, 4000],
])('quantity %s is %d thousandths', (text, milli) => {
  expect(milliValueOf(text)).toBe(milli);
});

test.each(['', 'x', '1K', '1 Gi', '1GiB', 'Gi', '1e', '--1'])('"%s" is no quantity', (text) => {
  expect(milliValueOf(text)).toBeUndefined();
});

describe('tolerations', () => {
  const taint = { key: 'k', value: 'v', effect: 'NoSchedule' };
  test.each([
    [{ key: 'k', operator: 'Equal', value: 'v', effect: 'NoSchedule' }, true],
    [{ key: 'k', value: 'v' }, true],
    [{ key: 'k', operator: 'Exists' }, true],
    [{ operator: 'Exists' }, true],
    [{ key: 'k', value: 'x' }, false],
    [{ key: 'k', operator: 'Exists', effect: 'NoExecute' }, false],
    [{ key: 'other', operator: 'Exists' }, false],
    [{}, false],
  ])('%j covers k=v:NoSchedule: %s', (toleration, covers) => {
    expect(toleratesTaint(toleration, taint)).toBe(covers);
  });

  test('only taints of the effects that are asked for count', () => {
    expect(untoleratedTaint([{ key: 'k', effect: 'PreferNoSchedule' }], [], ['NoSchedule'])).toBeUndefined();
    expect(untoleratedTaint([taint], [], ['NoSchedule', 'NoExecute'])).toBe(taint);
  });
});

describe('node selection', () => {
  const node = buildNode({ name: 'a', labels: { disk: 'ssd', cpus: '8' } });
  const required = (term: object) => ({
    affinity: { nodeAffinity: { requiredDuringSchedulingIgnoredDuringExecution: { nodeSelectorTerms: [term] } } },
  });
  test.each([
    [{}, true],
    [{ nodeSelector: { disk: 'ssd' } }, true],
    [{ nodeSelector: { disk: 'hdd' } }, false],
    [required({ matchExpressions: [{ key: 'cpus', operator: 'Gt', values: ['4'] }] }), true],
    [required({ matchExpressions: [{ key: 'cpus', operator: 'Gt', values: ['8'] }] }), false],
    [required({ matchFields: [{ key: 'metadata.name', operator: 'In', values: ['a'] }] }), true],
    [required({ matchFields: [{ key: 'metadata.name', operator: 'NotIn', values: ['a'] }] }), false],
    [required({}), false],
  ])('%j allows the node: %s', (spec, allowed) => {
    expect(matchesNodeSelection({ ...buildPod({ spec }).spec!, containers: [] }, node)).toBe(allowed);
  });
});

test('an object knows its controller by uid', () => {
  const owner = buildReplicaSet({ uid: 'u1' });
  const pod = buildPod({ ownerReferences: [controllerReferenceTo(resources.replicaSets, owner)] });
  expect(controllerOf(pod)).toMatchObject({
    apiVersion: 'apps/v1',
    kind: 'ReplicaSet',
    uid: 'u1',
    blockOwnerDeletion: true,
  });
  expect(isControlledBy(pod, owner)).toBe(true);
  expect(isControlledBy(pod, buildReplicaSet({ uid: 'u2' }))).toBe(false);
});

test('timestamps are whole seconds of UTC', () => {
  expect(timestampOf(1767225601999)).toBe('2026-01-01T00:00:01Z');
  expect(timeOf('2026-01-01T00:00:01Z')).toBe(1767225601000);
  expect(timeOf(undefined)).toBeUndefined();
  expect(timeOf('yesterday')).toBeUndefined();
});
