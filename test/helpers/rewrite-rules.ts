// A program that changes the rules of the node it is started in, while packets go through them: those that a thread sends come between
// its system calls, never during a transaction of its own.
import { NetworkNamespace } from '../../src/kernel/network-namespace.ts';
import { createNftRunner } from '../../src/kernel/runners/nft-runner.ts';
import { NftablesBackend } from '../../src/proxy/nftables/nftables-backend.ts';
import {
  buildNodeFacts,
  buildProxyEndpoint,
  buildProxyState,
  buildSelectedPort,
  buildServicePort,
} from './build-proxy-facts.ts';
import { systemClock } from './system-clock.ts';

/** What the program is told, as JSON. */
export interface RewriteRules {
  /** Rewrites the table each time, instead of changing what differs. */
  readonly whole: boolean;
  readonly rounds: number;
  /** As of NftablesBackend. */
  readonly inlineLimit: number;
  /** Services besides the one that packets go to. */
  readonly others: number;
  readonly service: Parameters<typeof buildServicePort>[0];
  /** The endpoints of one round after the other, in turns; at each moment some are. */
  readonly endpoints: readonly (readonly string[])[];
}

const { whole, rounds, inlineLimit, others, service, endpoints } = JSON.parse(process.argv[2]!) as RewriteRules;
const place = NetworkNamespace.current();
const node = buildNodeFacts();
const selected = (port: Parameters<typeof buildServicePort>[0], ips: readonly string[]) =>
  buildSelectedPort(
    buildServicePort(port),
    ips.map((ip) => buildProxyEndpoint({ ip, port: 8080 })),
    node,
  );
const crowd = Array.from({ length: others }, (_, index) =>
  selected({ name: `other${index}`, clusterIP: `10.97.${index >> 8}.${index & 255}` }, ['10.244.9.9']),
);
const states = endpoints.map((ips) => buildProxyState([selected(service, ips), ...crowd], node));
const [key] = states[0]!.ports.keys();
const backend = new NftablesBackend({
  family: 'ipv4',
  runner: createNftRunner(place),
  clock: systemClock,
  inlineLimit,
});
await backend.sync(states[0]!, 'all');
process.stdout.write('ready');
for (let round = 1; round <= rounds; round++) {
  await backend.sync(states[round % states.length]!, whole ? 'all' : new Set([key!]));
  // Packets shall come in between as well.
  await new Promise((resolve) => setTimeout(resolve, 1));
}
