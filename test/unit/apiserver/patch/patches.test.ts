import { describe, expect, it } from 'vitest';
import { applyJsonPatch } from '../../../../src/apiserver/patch/json-patch.ts';
import { applyMergePatch } from '../../../../src/apiserver/patch/merge-patch.ts';
import { applyStrategicMergePatch } from '../../../../src/apiserver/patch/strategic-merge-patch.ts';
import { ApiStatusError } from '../../../../src/kube/status.ts';
import { type FixtureKind, readFixture, schemaOf } from '../../../helpers/go-fixtures.ts';
import { deepFreeze } from '../../../helpers/json.ts';

interface PatchCase {
  readonly type: 'json' | 'merge' | 'strategic';
  readonly kind: FixtureKind;
  readonly document: unknown;
  readonly patch: unknown;
  readonly result?: unknown;
  readonly refused?: true;
}

const { cases } = readFixture<{ cases: PatchCase[] }>('patches.json');

function apply({ type, kind, document, patch }: PatchCase): unknown {
  // Frozen: a patch that changes what it was given fails here.
  deepFreeze(document);
  deepFreeze(patch);
  if (type === 'json') return applyJsonPatch(document, patch);
  return type === 'merge'
    ? applyMergePatch(document, patch)
    : applyStrategicMergePatch(document, patch, schemaOf(kind).node);
}

// Upstream's merge patch drops nulls inside of lists as well, where RFC 7386 keeps them; decoding makes both the same.
function withoutNulls(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutNulls);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value)
      .filter(([, inner]) => inner !== null)
      .map(([key, inner]) => [key, withoutNulls(inner)]),
  );
}

describe.each(['json', 'merge', 'strategic'] as const)('a %s patch', (type) => {
  const ours = cases.filter((entry) => entry.type === type);
  it.each(ours.filter(({ refused }) => !refused))('gives what upstream gives: $patch', (entry) => {
    const [mine, theirs] = [apply(entry), entry.result];
    expect(type === 'merge' ? withoutNulls(mine) : mine).toEqual(type === 'merge' ? withoutNulls(theirs) : theirs);
  });
});

describe.each(['json', 'strategic'] as const)('a %s patch', (type) => {
  it.each(cases.filter((entry) => entry.type === type && entry.refused))(
    'is refused where upstream refuses it: $patch',
    (entry) => {
      expect(() => apply(entry)).toThrow(ApiStatusError);
    },
  );
});

describe('hostile JSON patches', () => {
  const refused = (patch: unknown, status: number) => {
    const error = (() => {
      try {
        return applyJsonPatch({ a: [1] }, patch);
      } catch (caught) {
        return caught;
      }
    })();
    expect(error).toMatchObject({ status });
  };

  it('cannot reach the prototype', () => {
    const result = applyJsonPatch({}, [{ op: 'add', path: '/__proto__', value: { polluted: true } }]) as object;
    expect(({} as { polluted?: boolean }).polluted).toBeUndefined();
    expect(Object.keys(result)).toEqual(['__proto__']);
    refused([{ op: 'add', path: '/constructor/prototype/polluted', value: 1 }], 422);
  });

  it('that are no list of operations are malformed', () => {
    for (const patch of [null, 5, 'x', {}, [1], [{ op: 5 }], [{ op: 'add', path: {} }]]) refused(patch, 400);
  });

  it('of too many operations are too large', () => {
    refused(Array(10_001).fill({ op: 'test', path: '/a', value: [1] }), 413);
  });

  it('that double the document again and again are stopped', () => {
    const double = [{ op: 'copy', from: '/a', path: '/a/-' }];
    refused(
      Array.from({ length: 60 }, () => double[0]),
      422,
    );
  });

  it('with indexes out of reach are refused', () => {
    for (const index of ['1', '99999999999', '-2', '1e0', '']) refused([{ op: 'remove', path: `/a/${index}` }], 422);
  });
});

describe('a merge patch', () => {
  it('replaces what is no object, and is no patch when it is none itself', () => {
    expect(applyMergePatch({ a: [1, 2], b: { c: 1 } }, { a: { x: null, y: 1 }, b: null })).toEqual({ a: { y: 1 } });
    expect(applyMergePatch({ a: 1 }, 5)).toBe(5);
  });

  it('cannot reach the prototype', () => {
    const patch: unknown = JSON.parse('{"__proto__":{"polluted":true}}');
    expect(Object.keys(applyMergePatch({}, patch) as object)).toEqual(['__proto__']);
    expect(({} as { polluted?: boolean }).polluted).toBeUndefined();
  });
});
