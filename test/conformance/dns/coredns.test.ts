import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Random } from '../../../src/kube/clock.ts';
import type { KubeObject } from '../../../src/kube/resources.ts';
import {
  buildEndpoint,
  buildEndpointSlice,
  buildNamespace,
  buildPod,
  buildService,
} from '../../helpers/build-objects.ts';
import { COREDNS, CoreDnsPeer, WITHOUT_COREDNS } from '../../helpers/coredns-peer.ts';
import { buildQuery } from '../../helpers/dns-chain.ts';
import { askUdp } from '../../helpers/dns-client.ts';
import { type ComparedQuery, compareServers } from '../../helpers/dns-compare.ts';
import { judgeReply } from '../../helpers/dns-judge.ts';
import { randomObjects, randomQuestion } from '../../helpers/dns-random-cluster.ts';
import { startTestServer } from '../../helpers/dns-test-server.ts';
import { KubeApiStub } from '../../helpers/kube-api-stub.ts';
import { seededRandom } from '../../helpers/seeded-random.ts';
import { withoutDeviations } from './deviations.ts';

const STATES = 10 * Number(process.env['TOWTANK_FUZZ'] ?? 1);
const QUESTIONS = 400;

/** Plugins of a block; `URL` is the API server's address. */
const blocks: Readonly<Record<string, string>> = {
  'pods disabled': 'kubernetes cluster.local in-addr.arpa ip6.arpa {\n URL\n}',
  'pods insecure, fallthrough, loadbalance':
    'loadbalance\nkubernetes cluster.local in-addr.arpa ip6.arpa {\n URL\n pods insecure\n ttl 30\n fallthrough in-addr.arpa ip6.arpa\n}',
  'pods verified, names of pods, empty Services ignored':
    'kubernetes cluster.local in-addr.arpa ip6.arpa {\n URL\n pods verified\n endpoint_pod_names\n ignore empty_service\n ttl 10\n}',
  'some namespaces, zonal': 'kubernetes cluster.local 10.96.0.0/16 {\n URL\n namespaces shop sync\n}',
  'no endpoints': 'kubernetes cluster.local {\n URL\n noendpoints\n}',
  'external zone':
    'k8s_external ext.example {\n headless\n fallthrough\n}\nkubernetes cluster.local in-addr.arpa ip6.arpa {\n URL\n}',
};

describe.runIf(COREDNS !== undefined)(
  `the same answers as CoreDNS from random states to random questions [${WITHOUT_COREDNS}]`,
  () => {
    describe.each(Object.entries(blocks))('%s', (_title, block) => {
      let stack: AsyncDisposableStack;
      let api: KubeApiStub;
      let peer: CoreDnsPeer;
      let own: Awaited<ReturnType<typeof startTestServer>>;

      beforeAll(async () => {
        stack = new AsyncDisposableStack();
        api = stack.use(await KubeApiStub.start([buildNamespace({ name: 'sync' })]));
        peer = stack.use(await CoreDnsPeer.start(block.replace('URL', `endpoint ${api.url}`)));
        own = stack.use(
          await startTestServer(`. {\nbind 127.0.0.1\n${block.replace(' URL\n', '')}\n}\n`, [], {
            ownAddresses: () => [],
          }),
        );
      });
      afterAll(() => stack.disposeAsync());

      it.each(Array.from({ length: STATES }, (_, seed) => seed))('state %i', async (seed) => {
        const random = seededRandom(seed * 7919 + 13);
        const objects = [...randomObjects(random), ...markers(seed)];
        api.replace(objects);
        own.zone.replace(objects);
        await untilFollowed(peer.port, seed, block);
        const questions = Array.from({ length: QUESTIONS }, () => randomQuery(random));
        const differences = await compareServers(questions, { theirs: peer.port, ours: own.port, withoutDeviations });
        expect(differences).toBe('');
      });
    });
  },
);

function randomQuery(random: Random): ComparedQuery {
  const { name, type } = randomQuestion(random);
  const edns = random() < 0.7 ? { edns: { udpSize: 4096, flags: random() < 0.3 ? 0x8000 : 0 } } : {};
  const external = random() < 0.2 ? name.replace('svc.cluster.local', 'ext.example') : name;
  return { name: external, type, packet: buildQuery(external, type, { flags: random() < 0.8 ? 0x100 : 0, ...edns }) };
}

// One object of every kind that is watched, told last: when all of them are seen, so is everything before.
function markers(seed: number): readonly KubeObject[] {
  const endpoints = [buildEndpoint({ ip: '192.0.2.1', hostname: 'sync' })];
  return [
    ...[buildNamespace({ name: 'sync' }), buildNamespace({ name: `sync-${seed}` })],
    buildService({ name: `sync-${seed}`, namespace: 'sync', clusterIP: 'None' }),
    buildService({ name: 'always', namespace: `sync-${seed}`, clusterIP: '10.96.255.1' }),
    buildEndpointSlice({ name: `sync-${seed}`, namespace: 'sync', service: `sync-${seed}`, endpoints, ports: [] }),
    buildPod({ name: 'sync', namespace: 'sync', ips: [`192.0.2.${(seed % 200) + 20}`] }),
  ];
}

async function untilFollowed(port: number, seed: number, block: string): Promise<void> {
  const wanted: [string, string][] = [];
  // Where Services without endpoints are ignored, that of the slice tells that Services were seen.
  const witness = block.includes('empty_service') ? `sync-${seed}` : `always.sync-${seed}`;
  if (!block.includes('namespaces')) wanted.push([`${witness}.svc.cluster.local.`, 'NOERROR']);
  if (!block.includes('noendpoints')) {
    wanted.push([`sync.sync-${seed}.sync.svc.cluster.local.`, 'NOERROR']);
    if (seed > 0) wanted.push([`sync.sync-${seed - 1}.sync.svc.cluster.local.`, 'NXDOMAIN']);
  }
  if (block.includes('verified')) wanted.push([`192-0-2-${(seed % 200) + 20}.sync.pod.cluster.local.`, 'NOERROR']);
  const deadline = Date.now() + 10_000;
  for (const [name, rcode] of wanted) {
    for (;;) {
      const reply = await askUdp(buildQuery(name, 'A'), { port });
      if (reply !== undefined && judgeReply(reply).rcode === rcode) break;
      if (Date.now() > deadline) throw new Error(`CoreDNS did not follow: ${name}`);
    }
  }
}
