import { describe, expect, test } from 'vitest';
import { PodAddresses } from '../../../../src/kubelet/runtime/pod-addresses.ts';

describe('the addresses of pods', () => {
  test('come from every podCIDR, after the network and the gateway', () => {
    const pool = new PodAddresses(['10.244.1.0/24', 'fd00:10:244:1::/64']);
    expect(pool.allocate()).toEqual(['10.244.1.2', 'fd00:10:244:1::2']);
    expect(pool.allocate()).toEqual(['10.244.1.3', 'fd00:10:244:1::3']);
  });

  test('come back last when they are released', () => {
    const pool = new PodAddresses(['10.0.0.0/29']);
    const all = Array.from({ length: 5 }, () => pool.allocate()[0]);
    expect(all).toEqual(['10.0.0.2', '10.0.0.3', '10.0.0.4', '10.0.0.5', '10.0.0.6']);
    pool.release(['10.0.0.4']);
    pool.release(['10.0.0.2']);
    expect([pool.allocate(), pool.allocate()]).toEqual([['10.0.0.2'], ['10.0.0.4']]);
  });

  test('run out with an error that says what to do, and take nothing then', () => {
    const pool = new PodAddresses(['10.0.0.0/28', 'fd00::/126']);
    pool.allocate();
    pool.allocate();
    expect(() => pool.allocate()).toThrow(expect.objectContaining({ code: 'ERR_RANGE_FULL' }));
    pool.release(['10.0.0.2', 'fd00::2']);
    expect(pool.allocate()[1]).toBe('fd00::2');
  });

  test('are written in the one form of IPv6', () => {
    expect(new PodAddresses(['2001:DB8:0:0:1:0:0:0/112']).allocate()).toEqual(['2001:db8::1:0:0:2']);
  });
});
