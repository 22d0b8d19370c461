import { expect, it } from 'vitest';
import { eventsAfter, versionOf } from '../../../../src/store/etcd/key-versions.ts';
import type { EtcdKeyValue } from '../../../../src/store/etcd/messages.ts';

const PREFIX = 'cluster-1';
const itemAt = (modRevision: number, name = '/a', value = `of ${modRevision}`): EtcdKeyValue => ({
  key: `${PREFIX}${name}`,
  value: Buffer.from(value),
  createRevision: 1,
  modRevision,
  lease: undefined,
});
const put = (modRevision: number, name?: string) => ({ deleted: false, item: itemAt(modRevision, name) });
const viewAt = (revision: number, shown = versionOf(itemAt(1), PREFIX)) => ({
  revision,
  get: (key: string) => (key === '/a' ? shown : undefined),
});
const nobody = { prefix: PREFIX, own: new Map() };

it('a key is without its prefix, and its bytes are its own', () => {
  const item = itemAt(2);
  const version = versionOf(item, PREFIX);
  item.value.fill(0);
  expect([version.key, String(version.value), version.modRevision]).toEqual(['/a', 'of 2', 2]);
});

it('what is shown already makes no event', () => {
  const made = eventsAfter(viewAt(2), [put(1), put(2), put(3)], nobody);
  expect(made.map(({ revision }) => revision)).toEqual([3]);
});

it('each event tells what its key was before, be it of the same answer', () => {
  const gone = { deleted: true, item: itemAt(3) };
  const made = eventsAfter(viewAt(1), [put(2), gone, put(4), put(5, '/b')], nobody);
  expect(made.map(({ key, current, previous }) => [key, current?.modRevision, previous?.modRevision])).toEqual([
    ['/a', 2, 1],
    ['/a', undefined, 2],
    ['/a', 4, undefined],
    ['/b', 5, undefined],
  ]);
});

it('what this process wrote keeps what its writer knew, and nothing else does', () => {
  const decoded = { kind: 'Service' };
  const value = Buffer.from('of 2');
  const own = new Map([[2, [{ key: '/a', value, decoded }]]]);
  const made = eventsAfter(viewAt(1), [put(2), put(2, '/b'), put(3)], { prefix: PREFIX, own });
  expect(made.map(({ current }) => current?.decoded)).toEqual([decoded, undefined, undefined]);
  expect(made[0]?.current?.value).toBe(value);
});
