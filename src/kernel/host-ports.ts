import {
  buildHostPorts,
  type HostPortMapping,
  hostPortChain,
  hostPortJumps,
  printHostPorts,
} from '../netfilter/host-ports/build-host-ports.ts';
import type { ConntrackRunner, Family, IptablesRunner } from '../netfilter/runner.ts';
import type { NetworkNamespace } from './network-namespace.ts';
import { writeSysctl } from './sysctl.ts';

const FAMILIES = ['ipv4', 'ipv6'] as const;

/** The ports of one node that lead to pods, kept in its iptables rules as the CNI plugin portmap does. */
export class HostPorts {
  readonly #netns: NetworkNamespace;
  readonly #iptables: IptablesRunner;
  readonly #conntrack: ConntrackRunner;
  readonly #owners = new Map<string, readonly HostPortMapping[]>();
  #isReady = false;
  #last: Promise<void> = Promise.resolve();

  constructor(
    netns: NetworkNamespace,
    runners: { readonly iptables: IptablesRunner; readonly conntrack: ConntrackRunner },
  ) {
    this.#netns = netns;
    this.#iptables = runners.iptables;
    this.#conntrack = runners.conntrack;
  }

  /** Opens the ports of a pod; resolves when packets find it. Rejects with KernelCommandError. */
  set(owner: string, mappings: readonly HostPortMapping[]): Promise<void> {
    return this.#change(async () => {
      this.#owners.set(owner, mappings);
      await this.#write([]);
      await this.#forgetFlows(mappings);
    });
  }

  /** Closes the ports of a pod. A pod that has none is no error. */
  delete(owner: string): Promise<void> {
    return this.#change(async () => {
      if (this.#owners.delete(owner)) await this.#write([hostPortChain(owner)]);
    });
  }

  #change(work: () => Promise<void>): Promise<void> {
    const done = this.#last.then(work);
    this.#last = done.catch(() => undefined);
    return done;
  }

  async #write(gone: readonly string[]): Promise<void> {
    const owners = [...this.#owners].map(([owner, mappings]) => ({ owner, mappings }));
    for (const family of FAMILIES) {
      await this.#iptables.restore(family, printHostPorts(buildHostPorts(family, owners), gone), { noflush: true });
    }
    if (this.#isReady) return;
    for (const family of FAMILIES) for (const jump of hostPortJumps) await this.#ensureJump(family, jump);
    // The machine reaches its own ports through 127.0.0.1 only if such packets may leave it.
    writeSysctl(this.#netns, 'net.ipv4.conf.all.route_localnet', 1);
    this.#isReady = true;
  }

  async #ensureJump(family: Family, jump: readonly string[]): Promise<void> {
    const { exitCode } = await this.#iptables.run(family, ['-t', 'nat', '-C', ...jump]);
    if (exitCode !== 0) await this.#iptables.run(family, ['-t', 'nat', '-A', ...jump]);
  }

  // A client that keeps sending from one UDP port would stay where its first packet went.
  async #forgetFlows(mappings: readonly HostPortMapping[]): Promise<void> {
    const ports = new Set(mappings.flatMap(({ protocol, hostPort }) => (protocol === 'udp' ? [hostPort] : [])));
    if (ports.size === 0) return;
    for (const family of FAMILIES) {
      const flows = await this.#conntrack.list(family, 'udp');
      await this.#conntrack.delete(flows.filter(({ original }) => ports.has(original.destinationPort)));
    }
  }
}
