import { describe, expect, it } from 'vitest';
import { atPlace, ownAddress } from '../../../src/kernel/shared-place.ts';

const place = { addresses: ['10.244.1.5'], uid: 50_003 };

describe('a place that shares its network namespace', () => {
  it('listens on its own address instead of all', () => {
    expect(ownAddress(place, '0.0.0.0')).toBe('10.244.1.5');
  });

  it('has a loopback address that no other place uses', () => {
    expect(ownAddress(place, '127.0.0.1')).toBe('127.244.1.5');
  });

  it('lacks a family that it has no address of', () => {
    expect(() => ownAddress(place, '::')).toThrow(/EADDRNOTAVAIL/);
  });

  it('connects from its own address, and to it where loopback is meant', () => {
    expect(atPlace(place, { host: '10.96.0.1' })).toEqual({ host: '10.96.0.1', localAddress: '10.244.1.5' });
    expect(atPlace(place, { host: '127.0.0.1' })).toEqual({ host: '10.244.1.5', localAddress: '10.244.1.5' });
    expect(atPlace(place, { host: '10.96.0.1', localAddress: '10.244.1.6' }).localAddress).toBe('10.244.1.6');
  });

  it('changes nothing in a namespace of its own', () => {
    expect(ownAddress(undefined, '::')).toBe('::');
    expect(atPlace(undefined, { host: '::1' })).toEqual({ host: '::1' });
  });
});
