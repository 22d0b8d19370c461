import { describe, expect, it } from 'vitest';
import { isLoopbackRange, openPort, reachedPort } from '../../../../src/kernel/loopback/ports.ts';

describe('ports where those below 1024 may not be opened', () => {
  it.each([
    [80, 10_080],
    [53, 10_053],
    [1023, 11_023],
    [1024, 1024],
    [8080, 8080],
    [0, 0],
  ])('%i stands at %i', (port, stands) => {
    expect(openPort(port, 1024)).toBe(stands);
  });

  it('stand where they are where all may be opened', () => {
    expect(openPort(80, 0)).toBe(80);
  });

  it('stand higher at addresses of clusters only', () => {
    expect(reachedPort({ host: '127.96.0.10', port: 53 }, 1024)).toBe(10_053);
    for (const host of ['127.0.0.53', '127.0.0.1', '192.0.2.1', '::1'])
      expect(reachedPort({ host, port: 53 }, 1024)).toBe(53);
  });
});

it.each([
  ['127.18.0.2', true],
  ['127.255.0.1', true],
  ['127.0.1.1', false],
  ['128.18.0.2', false],
  ['12.7.18.2', false],
  ['::1', false],
  ['web', false],
])('%s is an address of a loopback cluster: %s', (host, is) => {
  expect(isLoopbackRange(host)).toBe(is);
});
