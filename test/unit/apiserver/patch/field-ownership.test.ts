import { describe, expect, it } from 'vitest';
import type { FieldWriter } from '../../../../src/apiserver/patch/contract.ts';
import { serverSideApply } from '../../../../src/apiserver/patch/server-side-apply.ts';
import { trackUpdate } from '../../../../src/apiserver/patch/track-update.ts';
import type { ManagedFieldsEntry } from '../../../../src/kube/generated/types.ts';
import type { KubeObject } from '../../../../src/kube/resources.ts';
import { ApiStatusError } from '../../../../src/kube/status.ts';
import { asJson, type FixtureKind, readFixture, schemaOf, withEmptyForNull } from '../../../helpers/go-fixtures.ts';

interface Step {
  readonly op: 'apply' | 'update';
  readonly subresource: string;
  readonly manager: string;
  readonly force: boolean;
  readonly object: KubeObject;
  readonly result?: KubeObject;
  readonly causes?: readonly string[];
  readonly message?: string;
}

const { histories } = readFixture<{ histories: { kind: FixtureKind; steps: Step[] }[] }>('field-histories.json');
const time = '2026-01-01T00:00:00Z';

function run(kind: FixtureKind, live: KubeObject | undefined, step: Step): KubeObject {
  const schema = schemaOf(kind);
  const writer: FieldWriter = { manager: step.manager, subresource: step.subresource, time };
  if (step.op === 'update') return trackUpdate({ schema, live, updated: step.object, writer });
  return schema.applyDefaults(serverSideApply({ schema, live, applied: step.object, writer, force: step.force }));
}

// Times differ, and with them the order of entries.
function timeless(object: unknown): unknown {
  const copy = asJson(object) as { metadata?: { managedFields?: (ManagedFieldsEntry & { time?: string })[] } };
  const entries = copy.metadata?.managedFields?.map(({ time: _time, ...rest }) => rest);
  const order = (entry: ManagedFieldsEntry): string =>
    JSON.stringify([entry.operation, entry.manager, entry.subresource]);
  entries?.sort((a, b) => (order(a) < order(b) ? -1 : 1));
  return entries ? { ...copy, metadata: { ...copy.metadata, managedFields: entries } } : copy;
}

describe('histories of an object', () => {
  it.each(histories)('of kind $kind give and take fields as upstream', ({ kind, steps }) => {
    let live: KubeObject | undefined;
    for (const [index, step] of steps.entries()) {
      const claim = `step ${index}: ${step.op} by ${step.manager}`;
      if (step.causes !== undefined) {
        const error = refusal(() => run(kind, live, step));
        expect(error.details?.causes?.map(({ message, field }) => `${message}: ${field}`).sort(), claim).toEqual(
          step.causes,
        );
        if (step.message !== undefined) expect(error.message, claim).toBe(step.message);
        continue;
      }
      const result = run(kind, live, step);
      expect(timeless(result), claim).toEqual(timeless(withEmptyForNull(step.result, asJson(result))));
      const next = { ...step.result!, metadata: { ...step.result!.metadata, uid: 'u' } };
      live = schemaOf(kind).decodeValue(next).object;
    }
  });
});

function refusal(action: () => unknown): ApiStatusError {
  try {
    action();
  } catch (error) {
    if (error instanceof ApiStatusError) return error;
    throw error;
  }
  throw new Error('it was not refused');
}

describe('server-side apply', () => {
  const kind: FixtureKind = ['apps', 'v1', 'Deployment'];
  const deployment = (spec: object, more: object = {}): KubeObject =>
    ({ apiVersion: 'apps/v1', kind: 'Deployment', metadata: { name: 'd', ...more }, spec }) as KubeObject;
  const apply = (live: KubeObject | undefined, manager: string, object: KubeObject, force = false): KubeObject =>
    run(kind, live, { op: 'apply', subresource: '', manager, force, object });

  it('tells each conflict with its owner and field', () => {
    const first = apply(undefined, 'one', deployment({ replicas: 1, minReadySeconds: 5 }));
    const error = refusal(() => apply(first, 'two', deployment({ replicas: 2, minReadySeconds: 6 })));
    expect(error).toMatchObject({ status: 409, reason: 'Conflict' });
    expect(error.message).toBe(
      'Apply failed with 2 conflicts: conflicts with "one":\n- .spec.minReadySeconds\n- .spec.replicas',
    );
    expect(error.details?.causes).toEqual([
      { reason: 'FieldManagerConflict', message: 'conflict with "one"', field: '.spec.minReadySeconds' },
      { reason: 'FieldManagerConflict', message: 'conflict with "one"', field: '.spec.replicas' },
    ]);
  });

  it('removes what its applier no longer says and nobody else owns', () => {
    const first = apply(undefined, 'one', deployment({ replicas: 3, minReadySeconds: 5 }));
    const both = apply(first, 'two', deployment({ minReadySeconds: 5 }));
    const second = apply(both, 'one', deployment({}));
    expect(second).toMatchObject({ spec: { replicas: 1, minReadySeconds: 5 } });
  });

  it('of an object as it is keeps even its time', () => {
    const first = apply(undefined, 'one', deployment({ replicas: 3 }));
    const again = serverSideApply({
      schema: schemaOf(kind),
      live: first,
      applied: deployment({ replicas: 3 }),
      writer: { manager: 'one', subresource: '', time: '2030-01-01T00:00:00Z' },
      force: false,
    });
    expect(again.metadata?.managedFields).toEqual(first.metadata?.managedFields);
  });

  it('takes over what kubectl applied on the client without a conflict, and keeps its annotation in step', () => {
    const last = JSON.stringify({
      apiVersion: 'apps/v1',
      kind: 'Deployment',
      metadata: { name: 'd' },
      spec: { replicas: 1 },
    });
    const annotations = { 'kubectl.kubernetes.io/last-applied-configuration': last };
    const updated = schemaOf(kind).decodeValue(deployment({ replicas: 1 }, { annotations })).object;
    const live = run(kind, undefined, {
      op: 'update',
      subresource: '',
      manager: 'kubectl-client-side-apply',
      force: false,
      object: updated,
    });
    expect(refusal(() => apply(live, 'somebody', deployment({ replicas: 2 }))).status).toBe(409);
    const taken = apply(live, 'kubectl', deployment({ replicas: 2 }));
    expect(taken).toMatchObject({ spec: { replicas: 2 } });
    expect(taken.metadata?.annotations?.['kubectl.kubernetes.io/last-applied-configuration']).toBe(
      '{"apiVersion":"apps/v1","kind":"Deployment","metadata":{"name":"d"},"spec":{"replicas":2}}\n',
    );
  });

  it.each([
    [{ foo: 1 }, '.spec.foo: field not declared in schema'],
    [{ replicas: 'x' }, '.spec.replicas: expected numeric (int or float), got string'],
    [{ paused: 'x' }, '.spec.paused: expected boolean, got &{x}'],
    [{ template: [] }, '.spec.template: expected map, got &{[]}'],
    [
      { template: { spec: { containers: [{ name: 'a' }, { name: 'a' }] } } },
      '.spec.template.spec.containers: duplicate entries for key [name="a"]',
    ],
  ])('of %j is refused: %s', (spec, problem) => {
    const error = refusal(() => apply(undefined, 'one', deployment(spec)));
    expect(error.message).toBe(`failed to create typed patch object (/d; apps/v1, Kind=Deployment): ${problem}`);
  });

  it('refuses managedFields and another kind', () => {
    expect(refusal(() => apply(undefined, 'one', deployment({}, { managedFields: [] }))).message).toBe(
      'metadata.managedFields must be nil',
    );
    const other = { ...deployment({}), kind: 'StatefulSet' };
    expect(refusal(() => apply(undefined, 'one', other)).message).toBe(
      'invalid object type: apps/v1, Kind=StatefulSet',
    );
  });
});

describe('tracking of updates', () => {
  const kind: FixtureKind = ['', 'v1', 'ConfigMap'];
  const configMap = (data: object, managedFields?: unknown): KubeObject =>
    ({
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: { name: 'c', ...(managedFields === undefined ? {} : { managedFields }) },
      data,
    }) as unknown as KubeObject;
  const update = (live: KubeObject | undefined, manager: string, object: KubeObject, subresource = ''): KubeObject =>
    run(kind, live, { op: 'update', subresource, manager, force: false, object });
  const managers = (object: KubeObject) => object.metadata?.managedFields?.map((entry) => entry.manager);

  it.each([[[]], [[{}]]])('is forgotten by managedFields %j, and not begun again by updates', (reset) => {
    const first = update(undefined, 'one', configMap({ a: '1' }));
    expect(managers(first)).toEqual(['one']);
    const forgotten = update(first, 'two', configMap({ a: '2' }, reset));
    expect(forgotten.metadata?.managedFields).toBeUndefined();
    expect(update(forgotten, 'three', configMap({ a: '3' })).metadata?.managedFields).toBeUndefined();
  });

  it('keeps the owners when a client leaves managedFields out or sends garbage', () => {
    const first = update(undefined, 'one', configMap({ a: '1' }));
    expect(managers(update(first, 'two', configMap({ a: '1', b: '2' })))).toEqual(['one', 'two']);
    const garbage = [{ manager: 'x', operation: 'Nope', apiVersion: 'v1', fieldsType: 'FieldsV1' }];
    expect(managers(update(first, 'two', configMap({ a: '1', b: '2' }, garbage)))).toEqual(['one', 'two']);
  });

  it('keeps ten updaters and merges the oldest', () => {
    let live: KubeObject | undefined;
    for (let i = 0; i < 14; i++) {
      const data = Object.fromEntries(Array.from({ length: i + 1 }, (_, key) => [`k${key}`, 'x']));
      live = update(live, `m${String(i).padStart(2, '0')}`, configMap(data));
    }
    expect(managers(live!)).toHaveLength(10);
    expect(managers(live!)).toContain('ancient-changes');
  });
});
