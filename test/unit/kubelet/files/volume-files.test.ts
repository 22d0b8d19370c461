import { describe, expect, test } from 'vitest';
import type { ConfigMap, Secret, Volume } from '../../../../src/kube/generated/types.ts';
import { volumeFiles } from '../../../../src/kubelet/files/volume-files.ts';
import { buildPod } from '../../../helpers/build-objects.ts';

const configMap: ConfigMap = { data: { a: '1', b: '2' }, binaryData: { bin: Buffer.from([0, 1]).toString('base64') } };
const secret: Secret = { data: { key: Buffer.from('k').toString('base64') } };

function files(source: Omit<Volume, 'name'>): readonly string[] | undefined {
  const pod = buildPod({ name: 'web', labels: { b: '2', a: '1' } });
  const objects = {
    configMap: (key: string) => (key === 'default/config' ? configMap : undefined),
    secret: (key: string) => (key === 'default/keys' ? secret : undefined),
    services: () => [],
  };
  const node = { cpu: '4', memory: '8Gi', 'ephemeral-storage': '1Gi' };
  const facts = { podIPs: ['10.244.0.2'], hostIPs: ['172.18.0.2'] };
  return volumeFiles({ name: 'v', ...source }, { pod, facts, node, objects })?.map(({ path, mode, content }) => {
    const value = Buffer.isBuffer(content) ? content.toString('latin1') : `token for ${content.token.audience}`;
    return `${path} ${mode.toString(8)} ${value}`;
  });
}

describe('the files of a volume', () => {
  test('are the keys of a ConfigMap', () => {
    expect(files({ configMap: { name: 'config' } })).toEqual(['a 644 1', 'b 644 2', 'bin 644 \0\u0001']);
  });

  test('are the chosen keys, with their own modes', () => {
    const items = [{ key: 'b', path: 'deep/b', mode: 0o400 }];
    expect(files({ configMap: { name: 'config', items, defaultMode: 0o600 } })).toEqual(['deep/b 400 2']);
    expect(() => files({ configMap: { name: 'config', items: [{ key: 'no', path: 'no' }] } })).toThrow(
      'references non-existent config key: no',
    );
  });

  test('may be missing only when they are optional', () => {
    expect(() => files({ secret: { secretName: 'none' } })).toThrow('secret "none" not found');
    expect(files({ secret: { secretName: 'none', optional: true } })).toEqual([]);
  });

  test('come from the pod itself', () => {
    const items = [
      { path: 'labels', fieldRef: { fieldPath: 'metadata.labels' } },
      { path: 'ip', fieldRef: { fieldPath: 'status.podIP' } },
      { path: 'memory', resourceFieldRef: { containerName: 'main', resource: 'limits.memory', divisor: '1Gi' } },
    ];
    expect(files({ downwardAPI: { items } })).toEqual(['labels 644 a="1"\nb="2"', 'ip 644 10.244.0.2', 'memory 644 8']);
  });

  test('are projected from several sources into one folder', () => {
    const sources = [
      { configMap: { name: 'config', items: [{ key: 'a', path: 'a' }] } },
      { secret: { name: 'keys' } },
      { serviceAccountToken: { path: 'token', audience: 'vault' } },
    ];
    expect(files({ projected: { sources, defaultMode: 0o440 } })).toEqual([
      'a 440 1',
      'key 440 k',
      'token 440 token for vault',
    ]);
  });

  test('are none for folders, and an error for kinds that are not served', () => {
    expect(files({ emptyDir: {} })).toBeUndefined();
    expect(files({ hostPath: { path: '/x' } })).toBeUndefined();
    expect(() => files({ nfs: { server: 's', path: '/' } })).toThrow(
      /volume "v" of kind nfs is not served here; use emptyDir/,
    );
  });
});
