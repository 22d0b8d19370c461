import { Readable } from 'node:stream';
import { beforeAll, describe, expect, test } from 'vitest';
import { NetworkNamespace } from '../../../src/kernel/network-namespace.ts';
import { createKubeletLab, type KubeletLab } from '../../helpers/kubelet-lab.ts';
import { text } from '../../helpers/read-text.ts';

beforeAll(() => void NetworkNamespace.current());

async function get(lab: KubeletLab, path: string, method = 'GET'): Promise<{ status: number; body: string }> {
  const request = { method, path, headers: {}, body: Readable.from([]) };
  const { status, body } = await lab.kubelets.request('node-1', request);
  return { status, body: await text(body) };
}

describe('the HTTP interface of a kubelet', () => {
  test('tells its health, pods and metrics', async () => {
    await using lab = await createKubeletLab();
    await lab.run({ podName: 'web', args: ['netexec'] });
    expect(await get(lab, '/healthz')).toEqual({ status: 200, body: 'ok' });
    const { items } = JSON.parse((await get(lab, '/pods')).body);
    expect(items).toMatchObject([{ metadata: { name: 'web' }, status: { phase: 'Running', podIP: '10.244.1.2' } }]);
    expect((await get(lab, '/metrics')).body).toContain('\nkubelet_running_pods 1\n');
    expect((await get(lab, '/nonsense')).status).toBe(404);
    expect((await get(lab, '/pods', 'POST')).status).toBe(405);
  });

  test('shows the logs of its pods as files (N23)', async () => {
    await using lab = await createKubeletLab();
    const pod = await lab.run({ podName: 'web', args: ['netexec'] });
    expect((await get(lab, '/logs/')).body).toContain('<a href="pods/">');
    const folder = `default_web_${pod.metadata?.uid}`;
    expect((await get(lab, '/logs/pods/')).body).toContain(folder);
    expect((await get(lab, `/logs/pods/${folder}/main/`)).body).toContain('0.log');
    expect((await get(lab, `/logs/pods/${folder}/main/0.log`)).body).toContain('Started HTTP server on port 8080');
    expect((await get(lab, '/logs/pods/../../etc/passwd')).status).toBe(404);
    expect((await get(lab, '/containerLogs/default/web/main?tailLines=1')).body).toMatch(
      /Started HTTP server on port 8080\n$/,
    );
    expect((await get(lab, '/containerLogs/default/none/main')).status).toBe(404);
  });

  test('of an unknown node is not found', async () => {
    await using lab = await createKubeletLab();
    const request = { method: 'GET', path: '/', headers: {}, body: Readable.from([]) };
    await expect(lab.kubelets.request('nowhere', request)).rejects.toMatchObject({ reason: 'NotFound' });
  });
});
