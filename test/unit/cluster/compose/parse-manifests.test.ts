import { describe, expect, it } from 'vitest';
import { parseManifests } from '../../../../src/cluster/compose/parse-manifests.ts';

const names = (text: string): unknown => parseManifests(text).map(({ kind, metadata }) => `${kind}/${metadata?.name}`);

describe('parseManifests', () => {
  it('reads several documents, leaves empty ones out and takes Lists apart', () => {
    const text = `---
# nothing but a comment
---
apiVersion: v1
kind: Service
metadata: {name: a}
---
apiVersion: v1
kind: List
items: [{apiVersion: v1, kind: Pod, metadata: {name: b}}, {apiVersion: v1, kind: Pod, metadata: {name: c}}]
`;
    expect(names(text)).toEqual(['Service/a', 'Pod/b', 'Pod/c']);
  });

  it.each([
    ['kind: Pod', 'the manifest (Pod) has no apiVersion'],
    ['apiVersion: v1', 'the manifest has no kind'],
    ['apiVersion: v1\nkind: Pod', 'the manifest (Pod) has no metadata.name'],
    ['- a', 'the manifest is not an object'],
    ['{apiVersion: v1, kind: Pod, metadata: {name: a}}\n---\nkind: [', 'document 2: '],
    ['{apiVersion: v1, kind: List, items: [{kind: Pod}]}', 'the manifest, items[0] (Pod) has no apiVersion'],
  ])('refuses %j', (text, message) => {
    expect(() => parseManifests(text)).toThrow(message);
  });
});
