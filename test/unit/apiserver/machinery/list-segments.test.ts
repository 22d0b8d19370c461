import { describe, expect, test } from 'vitest';
import { type ListIdentity, ListSegments } from '../../../../src/apiserver/machinery/list-segments.ts';
import type { ServedResource } from '../../../../src/apiserver/machinery/served-resource.ts';
import { encodeObject } from '../../../../src/apiserver/machinery/stored-object.ts';
import { resources } from '../../../../src/kube/resources.ts';
import type { KeyValue } from '../../../../src/store/store.ts';
import { seededRandom } from '../../../helpers/seeded-random.ts';

const type = resources.configMaps;
const served = (): ServedResource => ({ type, conversion: undefined }) as unknown as ServedResource;
const all: ListIdentity = { resource: served(), namespace: undefined };

/** About a kilobyte. */
function entryOf(name: string, modRevision: number): KeyValue {
  const object = { kind: 'ConfigMap', apiVersion: 'v1', metadata: { name }, data: { text: 'ä'.repeat(500) } };
  const key = `/registry/core/configmaps/default/${name}`;
  return {
    key,
    value: encodeObject(object, type),
    createRevision: 1,
    modRevision,
    lease: undefined,
    decoded: undefined,
  };
}

const entriesOf = (count: number): KeyValue[] =>
  Array.from({ length: count }, (_, i) => entryOf(`c-${String(i).padStart(6, '0')}`, i + 2));

interface Item {
  readonly metadata: { readonly name: string; readonly resourceVersion: string };
}
const read = (pieces: readonly Buffer[]): Item[] =>
  JSON.parse(`[${Buffer.concat(pieces).subarray(1).toString()}]`) as Item[];
const versions = (items: readonly Item[]): string[] =>
  items.map(({ metadata }) => `${metadata.name} ${metadata.resourceVersion}`);
const expected = (entries: readonly KeyValue[]): string[] =>
  entries.map(({ key, modRevision }) => `${key.slice(key.lastIndexOf('/') + 1)} ${modRevision}`);

/** Copies, for a piece is good only until the next one. */
const copies = (pieces: Iterable<Buffer>): Buffer[] => Array.from(pieces, (piece) => Buffer.from(piece));

describe('segments of a list', () => {
  test.each([
    ['all are kept', {}],
    ['few are kept at once', { keptAtOnce: 300_000 }],
    ['none is kept', { keptAtOnce: 0 }],
  ])('hold every item in order, whatever was changed, added or removed before: %s', (_, options) => {
    const seed = Date.now() % 1_000_000;
    const random = seededRandom(seed);
    const segments = new ListSegments(options);
    const entries = entriesOf(2000);
    for (let round = 0; round < 15; round++) {
      const told = segments.length(all, entries);
      const pieces = copies(segments.pieces(all, entries));
      expect(told, `seed ${seed}`).toBe(Buffer.concat(pieces).length);
      expect(versions(read(pieces)), `seed ${seed}`).toEqual(expected(entries));
      expect(segments.length(all, entries), `seed ${seed}`).toBe(Buffer.concat(pieces).length);
      for (let change = 0; change < random() * 20; change++) {
        const at = Math.floor(random() * entries.length);
        const name = entries[at]!.key.split('/').at(-1)!;
        const made = entryOf(random() < 0.5 ? name : `${name}-x${round}`, 10_000 + round);
        if (random() < 0.3) entries.splice(at, 1 + Math.floor(random() * 5));
        else if (made.key === entries[at]!.key) entries[at] = made;
        else if (entries[at + 1]?.key !== made.key) entries.splice(at + 1, 0, made);
      }
    }
  });

  test('are the same bytes for the next list, and one change makes one of them again', () => {
    const segments = new ListSegments();
    const entries = entriesOf(2000);
    const first = [...segments.pieces(all, entries)];
    expect(first.length).toBeGreaterThan(5);
    expect([...segments.pieces(all, entries)].every((piece, i) => piece === first[i])).toBe(true);
    entries[1000] = entryOf('c-001000', 5000);
    const second = [...segments.pieces(all, entries)];
    expect(second.filter((piece) => !first.includes(piece))).toHaveLength(1);
  });

  test('are kept bit by bit, so that nobody waits for all of them', () => {
    const segments = new ListSegments({ keptAtOnce: 500_000 });
    const entries = entriesOf(2000);
    const length = segments.length(all, entries)!;
    const sizes: number[] = [];
    while (segments.size < length) {
      expect(versions(read(copies(segments.pieces(all, entries))))).toEqual(expected(entries));
      sizes.push(segments.size);
    }
    for (const [i, size] of sizes.entries()) expect(size - (sizes[i - 1] ?? 0)).toBeLessThan(750_000);
    expect(sizes.length).toBeGreaterThan(3);
    const [first, second] = [[...segments.pieces(all, entries)], [...segments.pieces(all, entries)]];
    expect(second.every((piece, i) => piece === first[i])).toBe(true);
  });

  test('of a list that nobody else asks for are not kept', () => {
    const segments = new ListSegments();
    const entries = entriesOf(1000);
    expect(versions(read(copies(segments.passingPieces(all, entries))))).toEqual(expected(entries));
    expect(segments.size).toBe(0);
  });

  test('are right for two who are answered at the same time', () => {
    const segments = new ListSegments({ keptAtOnce: 0 });
    const entries = entriesOf(1000);
    const [a, b] = [segments.pieces(all, entries), segments.pieces(all, entries)];
    const found: [Buffer[], Buffer[]] = [[], []];
    for (let pieceA = a.next(), pieceB = b.next(); !pieceA.done && !pieceB.done; pieceA = a.next(), pieceB = b.next()) {
      found[0].push(Buffer.from(pieceA.value));
      found[1].push(Buffer.from(pieceB.value));
    }
    for (const pieces of found) expect(versions(read(pieces))).toEqual(expected(entries));
  });

  test('leave no crumbs behind insertions', () => {
    const segments = new ListSegments();
    const entries = entriesOf(1000);
    const before = [...segments.pieces(all, entries)].length;
    for (let i = 0; i < 300; i++) {
      entries.splice(i * 3 + 1, 0, entryOf(`${entries[i * 3]!.key.split('/').at(-1)}-x`, 9000 + i));
      for (const piece of segments.pieces(all, entries)) expect(piece.length).toBeLessThan(300 * 1024);
    }
    expect([...segments.pieces(all, entries)].length).toBeLessThan(before * 3);
  });

  test('of a custom resource that was defined anew are not those of the old one', () => {
    const segments = new ListSegments();
    const entries = entriesOf(500);
    const pieces = [...segments.pieces(all, entries)];
    const others = [
      { ...all, namespace: 'default' },
      { resource: served(), namespace: undefined },
    ];
    for (const other of others)
      for (const piece of segments.pieces(other, entries)) expect(pieces.includes(piece)).toBe(false);
  });

  test('take no more memory than they may: the list asked for last stays', () => {
    const segments = new ListSegments({ kept: 1_500_000 });
    const entries = entriesOf(1000);
    const piecesOf = (namespace: string): Buffer[] => [...segments.pieces({ ...all, namespace }, entries)];
    const [a, b] = [piecesOf('a'), piecesOf('b')];
    expect(segments.size).toBe(Buffer.concat(b).length);
    expect(piecesOf('b').every((piece, i) => piece === b[i])).toBe(true);
    expect(piecesOf('a').some((piece, i) => piece === a[i])).toBe(false);
    const larger = entriesOf(3000);
    expect(read([...segments.pieces(all, larger)])).toHaveLength(3000);
    expect(segments.size).toBeLessThan(1_500_000);
  });

  test('of objects whose bytes nobody has asked for have no length yet', () => {
    const entries = entriesOf(200);
    const unread = { ...entries[100]!, isEncoded: false, decoded: { metadata: { name: 'c-000100' }, data: {} } };
    expect(new ListSegments().length(all, entries.with(100, unread))).toBeUndefined();
    expect(new ListSegments().length(all, entries)).toBeGreaterThan(200_000);
  });
});
