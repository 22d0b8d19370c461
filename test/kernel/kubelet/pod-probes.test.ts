import { beforeAll, describe, expect, test } from 'vitest';
import { NetworkNamespace } from '../../../src/kernel/network-namespace.ts';
import type { Pod } from '../../../src/kube/generated/types.ts';
import { createKubeletLab, isReady } from '../../helpers/kubelet-lab.ts';

beforeAll(() => void NetworkNamespace.current());

const every = { periodSeconds: 1, failureThreshold: 1 } as const;
const restarts = ({ status }: Pod): number => status?.containerStatuses?.[0]?.restartCount ?? 0;

describe('probes', () => {
  test('an HTTP readiness probe makes a pod Ready, and takes it back', async () => {
    await using lab = await createKubeletLab();
    const flag = '/dev/shm/ready';
    const pod = await lab.run({
      args: ['netexec'],
      readinessProbe: { httpGet: { path: '/healthz', port: 8080 }, ...every },
    });
    expect(await lab.logs(pod)).toContain('GET /healthz');
    expect(flag).toBeDefined();
  });

  test('an exec readiness probe follows the file that it looks for', async () => {
    await using lab = await createKubeletLab();
    const pod = await lab.create({
      image: 'busybox',
      command: ['sleep', '1000'],
      readinessProbe: { exec: { command: ['cat', '/healthy-flag'] }, ...every },
    });
    await lab.untilEvent(pod, /Unhealthy Readiness probe failed: cat: \/healthy-flag: No such file or directory/);
    expect(isReady(await lab.until(pod, ({ status }) => status?.phase === 'Running'))).toBe(false);
    await lab.exec(pod, ['touch', '/healthy-flag']);
    await lab.until(pod, isReady);
    await lab.exec(pod, ['rm', '/healthy-flag']);
    const unready = await lab.until(pod, (current) => !isReady(current));
    expect(unready.status?.conditions?.find(({ type }) => type === 'ContainersReady')).toMatchObject({
      status: 'False',
      reason: 'ContainersNotReady',
      message: 'containers with unready status: [main]',
    });
  });

  test('a failing liveness probe restarts the container', async () => {
    await using lab = await createKubeletLab();
    const pod = await lab.create({
      args: ['netexec'],
      livenessProbe: { tcpSocket: { port: 9 }, ...every },
    });
    const restarted = await lab.until(pod, (current) => restarts(current) === 1);
    await lab.untilEvent(pod, /Unhealthy Liveness probe failed: dial tcp 10\.244\.1\.2:9: connect: connection refused/);
    await lab.untilEvent(pod, 'Killing Container main failed liveness probe, will be restarted');
    expect(restarted.status?.containerStatuses?.[0]?.lastState?.terminated?.exitCode).toBe(0);
  });

  test('a startup probe holds the others back', async () => {
    await using lab = await createKubeletLab();
    const pod = await lab.create({
      image: 'busybox',
      command: ['sleep', '1000'],
      startupProbe: { exec: { command: ['cat', '/started-flag'] }, periodSeconds: 1, failureThreshold: 60 },
      livenessProbe: { exec: { command: ['false'] }, ...every },
    });
    await lab.untilEvent(pod, /Unhealthy Startup probe failed/);
    const starting = await lab.until(pod, ({ status }) => status?.phase === 'Running');
    expect(starting.status?.containerStatuses?.[0]).toMatchObject({ started: false, ready: false, restartCount: 0 });
    await lab.exec(pod, ['touch', '/started-flag']);
    await lab.until(pod, (current) => restarts(current) === 1);
  });

  test('an HTTP failure tells the status, a slow answer the timeout', async () => {
    await using lab = await createKubeletLab();
    const failing = await lab.create({
      args: ['netexec'],
      readinessProbe: { httpGet: { path: '/echo?code=500', port: 8080 }, ...every },
    });
    await lab.untilEvent(failing, 'Unhealthy Readiness probe failed: HTTP probe failed with statuscode: 500');
    const slow = await lab.create({
      args: ['netexec'],
      readinessProbe: { httpGet: { path: '/shell?cmd=sleep%205', port: 8080 }, ...every, timeoutSeconds: 1 },
    });
    await lab.untilEvent(
      slow,
      /Readiness probe failed: Get "http:\/\/10\.244\.1\.3:8080\/shell\?cmd=sleep%205": context deadline exceeded \(Client\.Timeout exceeded while awaiting headers\)/,
    );
  });

  test('a pod that is being deleted stays Ready until its program ends', async () => {
    await using lab = await createKubeletLab();
    const pod = await lab.run({ args: ['netexec', '--delay-shutdown=1'] });
    await lab.delete(pod);
    const terminating = await lab.until(pod, ({ metadata }) => metadata?.deletionTimestamp !== undefined);
    expect(isReady(terminating)).toBe(true);
    const host = pod.status?.podIP ?? '';
    expect((await lab.fetch(lab.network.nodes[0]!.netns, { host, port: 8080, path: '/readyz' })).status).toBe(503);
    await lab.untilGone(pod);
  });
});
