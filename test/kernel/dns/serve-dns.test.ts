import { execFileSync } from 'node:child_process';
import { mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { type ServeDnsOptions, serveDns } from '../../../src/dns/serve-dns.ts';
import type { DnsServer } from '../../../src/dns/server/dns-server.ts';
import type { KubeObject } from '../../../src/kube/resources.ts';
import { resources } from '../../../src/kube/resources.ts';
import { buildNamespace, buildService } from '../../helpers/build-objects.ts';
import { buildQuery } from '../../helpers/dns-chain.ts';
import { askUdp } from '../../helpers/dns-client.ts';
import { judgeReply } from '../../helpers/dns-judge.ts';
import { FakeKubeClient } from '../../helpers/fake-kube-client.ts';
import { realClock } from '../../helpers/real-clock.ts';
import { seededRandom } from '../../helpers/seeded-random.ts';
import { SteppedClock } from '../../helpers/stepped-clock.ts';

const shop = buildNamespace({ name: 'shop' });
const service = (clusterIP: string): KubeObject => buildService({ name: 'web', namespace: 'shop', clusterIP });

let folder: string;
const logged: string[] = [];

beforeAll(() => execFileSync('ip', ['link', 'set', 'lo', 'up']));
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'towtank-dns-'));
  logged.length = 0;
});
afterEach(() => rmSync(folder, { recursive: true }));

const write = (name: string, text: string): string => {
  const path = join(folder, name);
  writeFileSync(`${path}.new`, text);
  renameSync(`${path}.new`, path);
  return path;
};
const list = (...items: readonly KubeObject[]): string => JSON.stringify({ kind: 'List', apiVersion: 'v1', items });

function serve(source: ServeDnsOptions['source'], more: Partial<ServeDnsOptions> = {}): Promise<DnsServer> {
  return serveDns({
    ...{ source, clock: realClock, random: seededRandom(), listen: { address: '127.0.0.1', port: 0 } },
    log: (level, line) => void logged.push(`${level}: ${line}`),
    server: { upstream: 'off' },
    ...more,
  });
}

async function addresses(server: DnsServer, name = 'web.shop.svc.cluster.local.'): Promise<readonly unknown[]> {
  const reply = await askUdp(buildQuery(name, 'A'), { port: server.listening[0]!.port });
  return judgeReply(reply!).answer.map(({ data }) => data);
}

describe('a file of objects', () => {
  it('is served, and followed when it changes; a faulty one is told and the last good state stays', async () => {
    const file = write('objects.json', list(shop, service('10.96.0.1')));
    await using server = await serve({ file });
    expect(await addresses(server)).toEqual(['10.96.0.1']);
    write('objects.json', list(shop, service('10.96.0.2')));
    await expect.poll(() => addresses(server), { timeout: 5000 }).toEqual(['10.96.0.2']);
    write('objects.json', '{ "kind": ');
    await expect.poll(() => logged.join('\n'), { timeout: 5000 }).toContain(`error: ${file} is not taken over: `);
    expect(await addresses(server)).toEqual(['10.96.0.2']);
    write('objects.json', list(shop));
    await expect.poll(() => addresses(server), { timeout: 5000 }).toEqual([]);
  });

  it('may be YAML of several documents and lists', async () => {
    const documents = [
      `${list(shop)}\n`,
      JSON.stringify({ apiVersion: 'v1', ...service('10.96.0.3') }),
      'kind: ConfigMap\nmetadata: {name: x}\n',
    ];
    await using server = await serve({ file: write('objects.yaml', documents.join('\n---\n')) });
    expect(await addresses(server)).toEqual(['10.96.0.3']);
  });

  it('that is missing is an error that says how to write one', async () => {
    await expect(serve({ file: join(folder, 'none.yaml') })).rejects.toMatchObject({
      code: 'ERR_INVALID_MANIFEST',
      message: expect.stringContaining('none.yaml'),
      hint: expect.stringContaining('kubectl get namespaces,services,endpointslices,pods -A -o yaml'),
    });
  });

  it('is served under the domain and with the Corefile that are asked for', async () => {
    const file = write('objects.json', list(shop, service('10.96.0.1')));
    await using server = await serve({ file }, { clusterDomain: 'k8s.test' });
    expect(await addresses(server, 'web.shop.svc.k8s.test.')).toEqual(['10.96.0.1']);
    const corefile = write(
      'Corefile',
      '. {\n rewrite name exact www.test web.shop.svc.cluster.local answer auto\n kubernetes cluster.local\n}\n',
    );
    await using other = await serve({ file }, { corefile });
    expect(await addresses(other, 'www.test.')).toEqual(['10.96.0.1']);
  });

  it('with a faulty Corefile is an error that names file and line', async () => {
    const file = write('objects.json', list(shop));
    const corefile = write('Corefile', '. {\n kubernetes\n teleport\n}\n');
    await expect(serve({ file }, { corefile })).rejects.toMatchObject({
      code: 'ERR_DNS_CONFIG',
      message: expect.stringContaining(`${corefile}:3`),
    });
  });
});

describe('an API server', () => {
  it('is followed by watches, and left when the server is closed', async () => {
    const clock = new SteppedClock();
    const client = new FakeKubeClient(clock);
    client.put(resources.namespaces, shop);
    client.put(resources.services, service('10.96.0.1'));
    const server = await serve({ client }, { clock });
    expect(await addresses(server)).toEqual(['10.96.0.1']);
    client.put(resources.services, service('10.96.0.2'));
    await expect.poll(() => addresses(server)).toEqual(['10.96.0.2']);
    await server.kill();
    const requests = client.actions.length;
    client.endWatches();
    await clock.step(600_000);
    expect(client.actions.length).toBe(requests);
  });
});
