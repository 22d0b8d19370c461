import { describe, expect, it } from 'vitest';
import { readObjects } from '../../../src/dns/read-objects.ts';
import type { KubeObject } from '../../../src/kube/resources.ts';

const SERVICE = 'kind: Service\napiVersion: v1\nmetadata: {name: web, namespace: shop}\nspec: {clusterIP: 10.96.0.1}\n';

const read = async (text: string): Promise<readonly KubeObject[]> => [
  ...(await readObjects(Buffer.from(text), 'file')),
];

describe('readObjects', () => {
  it('reads documents, Lists of any depth, and typed lists whose items have no kind', async () => {
    const list = JSON.stringify({ kind: 'List', items: [{ kind: 'PodList', items: [{ metadata: { name: 'p' } }] }] });
    const objects = await read(`---\n${SERVICE}---\n---\n${list}\n`);
    expect(objects.map(({ kind, metadata }) => `${kind} ${metadata?.namespace}/${metadata?.name}`)).toEqual([
      'Service shop/web',
      'Pod default/p',
    ]);
  });

  it('takes null for a missing field, and leaves out kinds that DNS does not read', async () => {
    const text =
      'kind: Service\nmetadata: {name: web}\nspec: {ports: null}\n---\nkind: ConfigMap\nmetadata: {name: c}\n';
    expect(await read(text)).toEqual([{ kind: 'Service', metadata: { name: 'web', namespace: 'default' }, spec: {} }]);
    expect(await read('')).toEqual([]);
  });

  it.each([
    ['a: [', /^file:1: /],
    [`${SERVICE}---\nkind: Service\nmetadata: [x]\n`, /^file:6: Service : metadata must be an object$/],
    [SERVICE.replace('10.96.0.1', '[1]'), /^file:1: Service web: spec\.clusterIP must be text$/],
    [
      'kind: EndpointSlice\nmetadata: {name: e}\nendpoints: [{addresses: 10.0.0.1}]',
      /endpoints\[0\]\.addresses must be a list$/,
    ],
    ['kind: Pod\n', /^file:1: Pod without a name$/],
    ['- 1\n', /^file:1: no Kubernetes object$/],
    ['metadata: {}\n', /^file:1: an object without a kind$/],
    ['kind: List\nitems: 3\n', /^file:1: items of a List must be a list$/],
  ])('refuses %j', async (text, message) => {
    await expect(read(text)).rejects.toMatchObject({
      code: 'ERR_INVALID_MANIFEST',
      message: expect.stringMatching(message),
    });
  });
});
