import { createServer } from 'node:http2';
import { beforeAll, describe, expect, test } from 'vitest';
import { NetworkNamespace } from '../../../src/kernel/network-namespace.ts';
import type { Pod } from '../../../src/kube/generated/types.ts';
import type { BuiltinImage } from '../../../src/kubelet/images/builtin-image.ts';
import { BuiltinProgram } from '../../../src/kubelet/images/serving/builtin-program.ts';
import { serveTcp } from '../../../src/kubelet/images/serving/listen.ts';
import { createKubeletLab, isReady } from '../../helpers/kubelet-lab.ts';

beforeAll(() => void NetworkNamespace.current());

const every = { periodSeconds: 1, failureThreshold: 1 } as const;
const restarts = ({ status }: Pod): number => status?.containerStatuses?.[0]?.restartCount ?? 0;

describe('probes', () => {
  test('an HTTP readiness probe makes a pod Ready, and takes it back', async () => {
    await using lab = await createKubeletLab();
    const pod = await lab.run({
      args: ['netexec', '--delay-shutdown=5'],
      readinessProbe: { httpGet: { path: '/readyz', port: 8080 }, ...every },
    });
    expect(await lab.logs(pod)).toContain('GET /readyz');
    await lab.delete(pod, 3);
    await lab.until(pod, (current) => !isReady(current));
    await lab.untilEvent(pod, 'Unhealthy Readiness probe failed: HTTP probe failed with statuscode: 503');
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

  test('a gRPC probe asks for the health of a service', async () => {
    const status = { web: 2 };
    const image: BuiltinImage = {
      names: ['grpc-server'],
      summary: 'A gRPC health service.',
      programs: [],
      entrypoint: 'own',
      start: ({ netns }) => {
        const program = new BuiltinProgram();
        const server = createServer();
        server.on('stream', (stream) => {
          stream.once('data', (frame: Buffer) => {
            const service = frame.subarray(7).toString();
            const answer = Buffer.from([0, 0, 0, 0, 2, 0x08, service === 'web' ? status.web : 3]);
            stream.respond({ ':status': 200, 'content-type': 'application/grpc' }, { waitForTrailers: true });
            stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': '0' }));
            stream.end(answer);
          });
        });
        program.hold(serveTcp(netns, { port: 5000 }, (socket) => void server.emit('connection', socket)));
        return program;
      },
    };
    await using lab = await createKubeletLab({ images: [image] });
    const probed = (service: string) => ({
      image: 'grpc-server',
      readinessProbe: { grpc: { port: 5000, service }, ...every },
    });
    const pod = await lab.create(probed('web'));
    await lab.untilEvent(pod, 'Unhealthy Readiness probe failed: service unhealthy (responded with "NOT_SERVING")');
    status.web = 1;
    await lab.until(pod, isReady);
    const unknown = await lab.create(probed('other'));
    await lab.untilEvent(
      unknown,
      'Unhealthy Readiness probe failed: service unhealthy (responded with "SERVICE_UNKNOWN")',
    );
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
