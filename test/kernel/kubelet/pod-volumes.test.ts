import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { NetworkNamespace } from '../../../src/kernel/network-namespace.ts';
import { resources } from '../../../src/kube/resources.ts';
import type { TokenRequest } from '../../../src/kubelet/runtime/pod-files.ts';
import { createKubeletLab, isReady, type KubeletLab } from '../../helpers/kubelet-lab.ts';

beforeAll(() => void NetworkNamespace.current());

const sleeper = { image: 'busybox', command: ['sleep', '1000'] };
const putConfigMap = (lab: KubeletLab, data: Record<string, string>, name = 'config') =>
  lab.client.put(resources.configMaps, { metadata: { name, namespace: 'default' }, data });

describe('the volumes of a pod', () => {
  test('a ConfigMap shows as files, and its changes arrive together', async () => {
    await using lab = await createKubeletLab();
    putConfigMap(lab, { a: '1', b: '1' });
    const pod = await lab.run({
      ...sleeper,
      volumeMounts: [{ name: 'config', mountPath: '/etc/towtank-config' }],
      spec: { volumes: [{ name: 'config', configMap: { name: 'config' } }] },
    });
    const read = async () => (await lab.exec(pod, ['sh', '-c', 'cd /etc/towtank-config && head -v *'])).stdout;
    expect(await read()).toBe('==> a <==\n1\n==> b <==\n1');
    putConfigMap(lab, { a: '2', c: '2' });
    let now = '';
    while (now !== '==> a <==\n2\n==> c <==\n2') now = await read();
    expect((await lab.exec(pod, ['touch', '/etc/towtank-config/new'])).stderr).toContain('Read-only file system');
  });

  test('a Secret has its modes and chosen keys', async () => {
    await using lab = await createKubeletLab();
    lab.client.put(resources.secrets, {
      metadata: { name: 'keys', namespace: 'default' },
      data: { 'tls.key': Buffer.from('private').toString('base64'), other: '' },
    });
    const pod = await lab.run({
      ...sleeper,
      volumeMounts: [{ name: 'keys', mountPath: '/keys' }],
      spec: {
        volumes: [
          {
            name: 'keys',
            secret: { secretName: 'keys', defaultMode: 0o400, items: [{ key: 'tls.key', path: 'sub/key' }] },
          },
        ],
      },
    });
    const { stdout } = await lab.exec(pod, ['sh', '-c', 'cat /keys/sub/key; stat -L -c %a /keys/sub/key; ls /keys']);
    expect(stdout).toBe('private400\nsub\n');
  });

  test('the service account has its token, CA and namespace where clients look for them', async () => {
    const requests: TokenRequest[] = [];
    const issueToken = async (request: TokenRequest) => {
      requests.push(request);
      return { token: 'signed-token' };
    };
    await using lab = await createKubeletLab({ issueToken });
    putConfigMap(lab, { 'ca.crt': 'the-ca' }, 'kube-root-ca.crt');
    const pod = await lab.run({
      ...sleeper,
      podName: 'client',
      volumeMounts: [{ name: 'api', mountPath: '/var/run/secrets/kubernetes.io/serviceaccount', readOnly: true }],
      spec: {
        serviceAccountName: 'robot',
        volumes: [
          {
            name: 'api',
            projected: {
              sources: [
                { serviceAccountToken: { path: 'token', expirationSeconds: 3607 } },
                { configMap: { name: 'kube-root-ca.crt', items: [{ key: 'ca.crt', path: 'ca.crt' }] } },
                { downwardAPI: { items: [{ path: 'namespace', fieldRef: { fieldPath: 'metadata.namespace' } }] } },
              ],
            },
          },
        ],
      },
    });
    const { stdout } = await lab.exec(pod, [
      'sh',
      '-c',
      'cd /var/run/secrets/kubernetes.io/serviceaccount && cat token ca.crt namespace',
    ]);
    expect(stdout).toBe('signed-tokenthe-cadefault');
    expect(requests).toEqual([
      {
        namespace: 'default',
        serviceAccountName: 'robot',
        pod: { name: 'client', uid: pod.metadata?.uid },
        audience: undefined,
        expirationSeconds: 3607,
      },
    ]);
  });

  test('an emptyDir is shared by the containers of a pod and by nobody else', async () => {
    await using lab = await createKubeletLab();
    const volumeMounts = [{ name: 'shared', mountPath: '/shared' }];
    const spec = {
      volumes: [{ name: 'shared', emptyDir: {} }],
      containers: [
        { name: 'main', ...sleeper, volumeMounts },
        {
          name: 'other',
          ...sleeper,
          volumeMounts: [{ name: 'shared', mountPath: '/elsewhere/deep', subPath: 'part' }],
        },
      ],
    };
    const pod = await lab.run({ spec });
    const second = await lab.run({ spec });
    await lab.exec(pod, ['sh', '-c', 'mkdir -p /shared/part; echo hello > /shared/part/file']);
    expect((await lab.exec(pod, ['cat', '/elsewhere/deep/file'], { container: 'other' })).stdout).toBe('hello\n');
    expect((await lab.exec(second, ['ls', '/shared'])).stdout).toBe('part\n');
    expect((await lab.exec(second, ['ls', '/shared/part'])).stdout).toBe('');
  });

  test('a hostPath is the folder of this machine', async () => {
    await using lab = await createKubeletLab();
    const path = mkdtempSync(join(tmpdir(), 'towtank-host-'));
    writeFileSync(join(path, 'from-host'), 'host');
    const pod = await lab.run({
      ...sleeper,
      volumeMounts: [{ name: 'host', mountPath: '/host-folder' }],
      spec: { volumes: [{ name: 'host', hostPath: { path } }] },
    });
    const { stdout } = await lab.exec(pod, [
      'sh',
      '-c',
      'cat /host-folder/from-host; echo pod > /host-folder/from-pod',
    ]);
    expect(stdout).toBe('host');
    expect(readFileSync(join(path, 'from-pod'), 'utf8')).toBe('pod\n');
    rmSync(path, { recursive: true });
  });

  test('one that refers to nothing keeps the pod waiting until it exists', async () => {
    await using lab = await createKubeletLab();
    const pod = await lab.create({
      ...sleeper,
      volumeMounts: [{ name: 'config', mountPath: '/config' }],
      spec: { volumes: [{ name: 'config', configMap: { name: 'config' } }] },
    });
    const waiting = await lab.until(pod, ({ status }) => status?.containerStatuses !== undefined);
    expect(waiting.status?.containerStatuses?.[0]?.state?.waiting?.reason).toBe('ContainerCreating');
    await lab.untilEvent(
      pod,
      'FailedMount MountVolume.SetUp failed for volume "config" : configmap "config" not found',
    );
    putConfigMap(lab, { a: '1' });
    await lab.until(pod, isReady);
  });

  test('a variable that refers to nothing keeps the container waiting until it exists', async () => {
    await using lab = await createKubeletLab();
    const pod = await lab.create({
      image: 'busybox',
      command: ['sh', '-c', 'echo "value $VALUE"; exec sleep 1000'],
      env: [{ name: 'VALUE', valueFrom: { configMapKeyRef: { name: 'config', key: 'a' } } }],
    });
    const waiting = await lab.until(
      pod,
      ({ status }) => status?.containerStatuses?.[0]?.state?.waiting?.reason === 'CreateContainerConfigError',
    );
    expect(waiting.status?.containerStatuses?.[0]?.state?.waiting?.message).toBe('configmap "config" not found');
    putConfigMap(lab, { a: 'seven' });
    await lab.until(pod, isReady);
    expect(await lab.follow(pod, 1)).toBe('value seven\n');
  });
});
