import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { KubeApiStub } from '../../test/helpers/kube-api-stub.ts';
import { buildService, nameOf } from './objects.ts';
import { addressOf, type MeasuredServer, startTowtank } from './servers.ts';
import { median, printRow } from './table.ts';

/** Changes of one round, and the Services that take turns. */
const CHANGES = 40;
const SERVICES = 100;

/** How long a change told by a watch takes to be answered, on servers that follow the same API server. */
export async function measureChanges(
  api: KubeApiStub,
  { folder, cpu, rounds, peer }: { folder: string; cpu: number; rounds: number; peer: MeasuredServer | undefined },
): Promise<void> {
  const kubeconfig = join(folder, 'kubeconfig');
  writeFileSync(kubeconfig, printKubeconfig(api.url));
  await using own = await startTowtank(['--kubeconfig', kubeconfig], { folder, cpu, probe: nameOf(0) });
  const servers = peer === undefined ? [own] : [own, peer];
  const measured: number[][] = servers.map(() => []);
  let change = 0;
  for (let round = 0; round < rounds; round++) {
    for (const [i, server] of servers.entries()) {
      const times: number[] = [];
      for (let n = 0; n < CHANGES; n++) {
        change = (change + 1) % SERVICES;
        times.push(await timeOfChange(api, server, change));
      }
      measured[i]!.push(median(times));
    }
  }
  printRow('a change told by a watch until it is answered, p50, ms', measured, { goal: 'under 3', under: 3 });
}

async function timeOfChange(api: KubeApiStub, server: MeasuredServer, change: number): Promise<number> {
  const service = buildService(change, 1 + (change % 2));
  const before = buildService(change, 2 - (change % 2));
  const name = nameOf(change);
  // Both servers see it, so that this one has its own change to wait for.
  api.put(before);
  await untilAnswered(server.port, name, before.spec!.clusterIP!);
  const started = performance.now();
  api.put(service);
  await untilAnswered(server.port, name, service.spec!.clusterIP!);
  return performance.now() - started;
}

async function untilAnswered(port: number, name: string, address: string): Promise<void> {
  while ((await addressOf(port, name)) !== address) {
    // Asks again at once: the time of a question is part of the measure's grain.
  }
}

function printKubeconfig(server: string): string {
  return JSON.stringify({
    ...{ apiVersion: 'v1', kind: 'Config', 'current-context': 'stub' },
    clusters: [{ name: 'stub', cluster: { server } }],
    contexts: [{ name: 'stub', context: { cluster: 'stub', user: 'stub' } }],
    users: [{ name: 'stub', user: {} }],
  });
}
