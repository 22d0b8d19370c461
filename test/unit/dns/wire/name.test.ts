import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  absoluteName,
  encodeName,
  isSubdomain,
  matchZone,
  readName,
  splitLabels,
} from '../../../../src/dns/wire/name.ts';

const bytes = (...parts: (number | string)[]): Uint8Array =>
  Uint8Array.from(parts.flatMap((part) => (typeof part === 'number' ? [part] : [...Buffer.from(part)])));

describe('readName', () => {
  it('follows pointers, also forward ones, and ends behind the first', () => {
    const message = bytes(3, 'org', 0, 3, 'web', 0xc0, 0, 'rest');
    expect(readName(message, 5)).toEqual({ name: 'web.org.', end: 11 });
    expect(readName(bytes(0xc0, 3, 9, 1, 'a', 0), 0)).toEqual({ name: 'a.', end: 2 });
  });

  it('refuses a pointer to itself, a chain without end, reserved label types and a name that runs out', () => {
    expect(readName(bytes(0xc0, 0), 0)).toBeUndefined();
    expect(readName(bytes(0xc0, 2, 0xc0, 0), 0)).toBeUndefined();
    expect(readName(bytes(0x80, 'a', 0), 0)).toBeUndefined();
    expect(readName(bytes(0x40, 'a', 0), 0)).toBeUndefined();
    expect(readName(bytes(5, 'ab'), 0)).toBeUndefined();
    expect(readName(bytes(), 0)).toBeUndefined();
  });

  it('takes 255 bytes and refuses 256', () => {
    const long = [...Array(3).fill([63, 'a'.repeat(63)]), [61, 'b'.repeat(61)], [0]].flat() as (number | string)[];
    expect(bytes(...long)).toHaveLength(255);
    expect(readName(bytes(...long), 0)?.end).toBe(255);
    const tooLong = [...Array(3).fill([63, 'a'.repeat(63)]), [62, 'b'.repeat(62)], [0]].flat() as (number | string)[];
    expect(readName(bytes(...tooLong), 0)).toBeUndefined();
  });

  it('escapes dots, spaces and bytes that are no text', () => {
    expect(readName(bytes(4, 0, 0xff, '. ', 0), 0)?.name).toBe('\\000\\255\\.\\ .');
  });
});

describe('encodeName', () => {
  it('reverses readName for every name', () => {
    const label = fc.uint8Array({ minLength: 1, maxLength: 63 });
    fc.assert(
      fc.property(fc.array(label, { maxLength: 3 }), (labels) => {
        const wire = Uint8Array.from([...labels.flatMap((part) => [part.length, ...part]), 0]);
        const { name, end } = readName(wire, 0)!;
        expect(end).toBe(wire.length);
        expect(encodeName(name)).toEqual(wire);
        expect(splitLabels(name)).toHaveLength(labels.length);
      }),
    );
  });

  it('refuses empty labels, labels over 63 bytes, names over 255 and broken escapes', () => {
    for (const name of [
      'a..b.',
      '.a.',
      `${'a'.repeat(64)}.`,
      `${'abcdefg.'.repeat(32)}`,
      'a\\',
      'a\\25',
      'a\\256.',
      'ü.'.repeat(1).replace('ü', 'ā'),
    ]) {
      expect(encodeName(name), name).toBeUndefined();
    }
  });

  it('takes a name with and without its final dot', () => {
    expect(encodeName('web.shop')).toEqual(encodeName('web.shop.'));
    expect(encodeName('.')).toEqual(Uint8Array.of(0));
  });
});

describe('isSubdomain', () => {
  it('compares whole labels and no case', () => {
    expect(isSubdomain('cluster.local.', 'web.CLUSTER.Local.')).toBe(true);
    expect(isSubdomain('cluster.local.', 'cluster.local.')).toBe(true);
    expect(isSubdomain('cluster.local.', 'mycluster.local.')).toBe(false);
    expect(isSubdomain('local.', 'a\\.local.')).toBe(false);
    expect(isSubdomain('.', 'anything.')).toBe(true);
  });
});

describe('matchZone', () => {
  it('finds the longest zone', () => {
    expect(matchZone(['.', 'local.', 'cluster.local.'], 'web.cluster.local.')).toBe('cluster.local.');
    expect(matchZone(['cluster.local.'], 'example.com.')).toBeUndefined();
  });
});

describe('absoluteName', () => {
  it('adds a dot unless one ends the name unescaped', () => {
    expect([absoluteName('a'), absoluteName('a.'), absoluteName('a\\.'), absoluteName('a\\\\.')]).toEqual([
      'a.',
      'a.',
      'a\\..',
      'a\\\\.',
    ]);
  });
});
