import { describe, expect, it } from 'vitest';
import { PackedObjects } from '../../../../src/dns/zone/packed-objects.ts';
import { buildNamespace, buildService } from '../../../helpers/build-objects.ts';

const web = { kind: 'Service', namespace: 'shop', name: 'web' };
const packed = (...clusterIPs: readonly string[]): PackedObjects =>
  PackedObjects.of(clusterIPs.map((clusterIP) => buildService({ name: 'web', namespace: 'shop', clusterIP })));

describe('PackedObjects', () => {
  it('keeps of objects with the same id the last one', () => {
    const objects = packed('10.96.0.1', '10.96.0.2');
    expect([...objects.ids()]).toEqual([web]);
    expect([...objects]).toEqual([objects.get(web)]);
    expect(objects.get(web)).toMatchObject({ spec: { clusterIPs: ['10.96.0.2'] } });
  });

  it('agrees where the same was packed, and where nothing was', () => {
    const objects = packed('10.96.0.1');
    expect(objects.agrees(packed('10.96.0.1'), web)).toBe(true);
    expect(objects.agrees(packed('10.96.0.2'), web)).toBe(false);
    expect(objects.agrees(packed(), web)).toBe(false);
    expect(packed().agrees(packed(), web)).toBe(true);
  });

  it('gives back any text, and more than it had room for at first', () => {
    const names = Array.from({ length: 3000 }, (_, i) => `${'ü€😀\n'.repeat(i % 20)}${i}`);
    const objects = PackedObjects.of(names.map((name) => buildNamespace({ name })));
    expect([...objects].map(({ metadata }) => metadata?.name)).toEqual(names);
  });
});
