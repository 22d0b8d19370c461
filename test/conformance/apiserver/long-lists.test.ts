import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { ConfigMap } from '../../../src/kube/generated/types.ts';
import { resources } from '../../../src/kube/resources.ts';
import { type ApiServerLab, startApiServerLab } from '../../helpers/api-server-lab.ts';

const COUNT = 1200;

interface ConfigMapList {
  readonly metadata: {
    readonly resourceVersion: string;
    readonly continue?: string;
    readonly remainingItemCount?: number;
  };
  readonly items: readonly ConfigMap[];
}

describe('a list that is long enough to be kept in pieces', () => {
  let lab: ApiServerLab;
  beforeAll(async () => {
    lab = await startApiServerLab();
    for (let i = 0; i < COUNT; i++) await lab.client.create(resources.configMaps, configMap(i));
  });
  afterAll(() => lab?.[Symbol.asyncDispose]());

  const configMap = (i: number): ConfigMap => ({
    metadata: { name: `c-${i}`, namespace: i % 3 === 0 ? 'default' : 'kube-system', labels: { part: String(i % 10) } },
    data: { text: `ü${'x'.repeat(400)}` },
  });
  const ask = (path: string): Promise<Response> => fetch(`${lab.plainUrl}/api/v1/${path}`);
  const list = async (path: string): Promise<ConfigMapList> => (await (await ask(path)).json()) as ConfigMapList;
  const ours = ({ items }: ConfigMapList): string[] =>
    items.filter(({ metadata }) => metadata?.name?.startsWith('c-')).map(({ metadata }) => metadata?.name ?? '');

  test('is the same whether its pieces are kept already or not, and has a length when they are', async () => {
    const first = await (await ask('configmaps')).text();
    const again = await ask('configmaps');
    expect(again.headers.get('content-length')).toBe(String(Buffer.byteLength(first)));
    expect(await again.text()).toBe(first);
    expect(ours(JSON.parse(first) as ConfigMapList)).toHaveLength(COUNT);
  });

  test('shows each change in the next answer, and of one namespace what is in it', async () => {
    await list('configmaps');
    const key = { name: 'c-600', namespace: 'default' };
    const made = await lab.client.update(resources.configMaps, { metadata: key, data: { text: 'new' } });
    await lab.client.delete(resources.configMaps, { name: 'c-603', namespace: 'default' });
    const all = await list('configmaps');
    expect(all.items.find(({ metadata }) => metadata?.name === 'c-600')).toEqual(made);
    expect(ours(all)).not.toContain('c-603');
    const { items } = await list('namespaces/default/configmaps');
    expect(items.every(({ metadata }) => metadata?.namespace === 'default')).toBe(true);
    expect(items.find(({ metadata }) => metadata?.name === 'c-600')?.data).toEqual({ text: 'new' });
    await lab.client.create(resources.configMaps, configMap(603));
  });

  test('is told in pages, by labels and as of an older version by the same rules', async () => {
    const { metadata, items } = await list('configmaps');
    const pages: ConfigMap[] = [];
    for (let next: string | undefined = ''; next !== undefined; ) {
      const page = await list(`configmaps?limit=500&continue=${encodeURIComponent(next)}`);
      expect(page.metadata.remainingItemCount ?? 0).toBe(items.length - pages.length - page.items.length);
      pages.push(...page.items);
      next = page.metadata.continue;
    }
    expect(pages).toEqual(items);
    const labelled = await list('configmaps?labelSelector=part%3D3');
    expect(labelled.items).toEqual(items.filter((item) => item.metadata?.labels?.['part'] === '3'));
    await lab.client.update(resources.configMaps, { ...configMap(9), data: { text: 'later' } });
    const before = await list(`configmaps?resourceVersion=${metadata.resourceVersion}&resourceVersionMatch=Exact`);
    expect(before.items).toEqual(items);
    expect((await list('configmaps')).items).not.toEqual(items);
  });

  test('does not keep what a client that hangs up has not taken', async () => {
    await lab.client.update(resources.configMaps, { ...configMap(30), data: { text: 'x' } });
    const hangUp = new AbortController();
    await fetch(`${lab.plainUrl}/api/v1/configmaps`, { signal: hangUp.signal });
    hangUp.abort();
    expect(ours(await list('configmaps'))).toHaveLength(COUNT);
  });
});
