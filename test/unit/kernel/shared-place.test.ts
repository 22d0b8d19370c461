import { describe, expect, it } from 'vitest';
import { atPlace, ownAddress, ownPort, portFrom } from '../../../src/kernel/shared-place.ts';

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

describe('a place on addresses of 127.0.0.0/8', () => {
  const loopback = { firstPort: 1024, namesObstacle: undefined, environment: {} };
  const pod = { addresses: ['127.64.1.5'], loopback };

  it('has a loopback address of its own in the other half', () => {
    expect(ownAddress(pod, '127.0.0.1')).toBe('127.192.1.5');
    expect(ownAddress(pod, '0.0.0.0')).toBe('127.64.1.5');
  });

  it('comes from its own address within the cluster, and from the machine’s beyond', () => {
    expect(atPlace(pod, { host: '127.96.0.1' })).toEqual({ host: '127.96.0.1', localAddress: '127.64.1.5' });
    expect(atPlace(pod, { host: '127.0.0.1' })).toEqual({ host: '127.64.1.5', localAddress: '127.64.1.5' });
    expect(atPlace(pod, { host: '192.0.2.1' })).toEqual({ host: '192.0.2.1' });
    expect(atPlace(pod, { host: '127.0.0.53' })).toEqual({ host: '127.0.0.53' });
  });

  it('opens and reaches ports where they may be', () => {
    expect(ownPort(pod, 80)).toBe(10_080);
    expect(portFrom(pod, { host: '127.96.0.1', port: 443 })).toBe(10_443);
    expect(portFrom(pod, { host: '192.0.2.1', port: 443 })).toBe(443);
    expect(ownPort(place, 80)).toBe(80);
    expect(portFrom(undefined, { host: '127.96.0.1', port: 443 })).toBe(443);
  });
});
