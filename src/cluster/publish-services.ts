import { connect, createServer, type Server, type Socket } from 'node:net';
import { firstPort } from '../kernel/loopback/first-port.ts';
import { openPort, reachedPort } from '../kernel/loopback/ports.ts';
import { ownAddresses } from '../kernel/own-networks.ts';
import type { Tier } from '../kernel/tier.ts';
import type { Service } from '../kube/generated/types.ts';
import { SharedInformers } from '../kube/informers.ts';
import { resources } from '../kube/resources.ts';
import { systemClock } from './compose/system-clock.ts';
import type { AddressPlan } from './config/address-plan.ts';
import { openKubeClient } from './offline/open-kube-client.ts';

export interface PublishOptions {
  readonly kubeconfig: string;
  readonly plan: AddressPlan;
  readonly tier: Tier;
  readonly log: (text: string) => void;
}

/** A port of this machine that leads to an address of the cluster. */
export interface Publication {
  readonly port: number;
  readonly host: string;
}

/**
 * The TCP ports at which Services answer on the machine's own addresses: node ports, where no rule of the kernel sees to them, and
 * the ports of load balancers, of which the oldest Service has each.
 */
export function choosePublications(
  services: readonly Service[],
  nodePortHost: string | undefined,
): ReadonlyMap<number, Publication> {
  const chosen = new Map<number, Publication>();
  const add = (port: number | undefined, host: string | undefined): void => {
    if (port !== undefined && host !== undefined && !chosen.has(port)) chosen.set(port, { port, host });
  };
  const age = ({ metadata }: Service): string => `${metadata?.creationTimestamp ?? ''} ${metadata?.name ?? ''}`;
  const oldestFirst = [...services].sort((a, b) => (age(a) < age(b) ? -1 : 1));
  for (const { spec, status } of oldestFirst) {
    const balancer = status?.loadBalancer?.ingress?.find(({ ip }) => ip !== undefined)?.ip;
    for (const { port, nodePort, protocol = 'TCP' } of spec?.ports ?? []) {
      if (protocol !== 'TCP') continue;
      add(nodePort, nodePortHost);
      add(port, balancer);
    }
  }
  return chosen;
}

/** Lets Services answer on this machine's own addresses, to which container engines send published ports, until it is disposed. */
export async function publishServices({ kubeconfig, plan, tier, log }: PublishOptions): Promise<AsyncDisposable> {
  const hosts = ownAddresses();
  const client = openKubeClient({ kubeconfig, agent: 'towtank-publish', onProblem: (error) => log(String(error)) });
  const informers = new SharedInformers(client, systemClock);
  const services = informers.for(resources.services);
  // In the flat tier the machine's addresses are a node's, whose node ports are kube-proxy's work.
  const nodePortHost = tier === 'flat' ? undefined : plan.nodes[0]?.addresses[0];
  const relays = new Relays(hosts, { log, firstPort: tier === 'loopback' ? firstPort() : 0 });
  services.onChange(() => relays.set(choosePublications(services.list(), nodePortHost)));
  await informers.start();
  return {
    [Symbol.asyncDispose]: async () => {
      informers[Symbol.dispose]();
      relays.set(new Map());
      client[Symbol.dispose]();
    },
  };
}

interface RelayOptions {
  readonly log: (text: string) => void;
  /** Ports below it stand higher: see loopback/ports.ts. */
  readonly firstPort: number;
}

class Relays {
  readonly #hosts: readonly string[];
  readonly #log: (text: string) => void;
  readonly #firstPort: number;
  readonly #open = new Map<number, { readonly host: string; readonly servers: readonly Server[] }>();

  constructor(hosts: readonly string[], { log, firstPort: first }: RelayOptions) {
    this.#hosts = hosts;
    this.#log = log;
    this.#firstPort = first;
  }

  set(wanted: ReadonlyMap<number, Publication>): void {
    for (const [port, { host, servers }] of this.#open) {
      if (wanted.get(port)?.host === host) continue;
      for (const server of servers) server.close();
      this.#open.delete(port);
    }
    for (const [port, { host }] of wanted) {
      if (this.#open.has(port)) continue;
      const servers = this.#hosts.map((own) => this.#listen(own, { port, host }));
      this.#open.set(port, { host, servers });
    }
  }

  #listen(own: string, publication: Publication): Server {
    const onward = { ...publication, port: reachedPort(publication, this.#firstPort) };
    const server = createServer((socket) => relay(socket, onward));
    server.on('error', (error) => this.#log(`port ${publication.port} is not published: ${error.message}`));
    return server.listen(openPort(publication.port, this.#firstPort), own);
  }
}

function relay(socket: Socket, { host, port }: Publication): void {
  const onward = connect({ host, port });
  const end = (): void => {
    socket.destroy();
    onward.destroy();
  };
  // Whatever ends one side ends the other; a half-closed connection stays half open.
  socket.on('error', end);
  onward.on('error', end);
  socket.pipe(onward).pipe(socket);
}
