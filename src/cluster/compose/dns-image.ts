import { readFile } from 'node:fs/promises';
import { isIPv6 } from 'node:net';
import { parseArgs } from 'node:util';
import { printLogLine } from '../../dns/server/dns-log.ts';
import { adoptTcpServer, adoptUdpSocket, type DnsNetwork } from '../../dns/server/dns-network.ts';
import { type DnsServer, startDnsServer } from '../../dns/server/dns-server.ts';
import type { ZoneProvider } from '../../dns/zone/cluster-zone.ts';
import type { NetworkNamespace } from '../../kernel/network-namespace.ts';
import { bindUdp, connectTcp, everyAddress, listenTcp } from '../../kernel/sockets.ts';
import type { Clock, Random } from '../../kube/clock.ts';
import type { BuiltinContext, BuiltinExit, BuiltinImage, BuiltinProcess } from '../../kubelet/images/builtin-image.ts';
import { towtankVersion } from '../version.ts';

export interface DnsImageOptions {
  /** The cluster's objects, shared by all replicas. */
  readonly zone: ZoneProvider;
  readonly clock: Clock;
  readonly random: Random;
}

/** The image of CoreDNS: towtank's own DNS server in the pod's network, with the pod's Corefile. */
export function createDnsImage(options: DnsImageOptions): BuiltinImage {
  return {
    names: ['coredns'],
    summary: 'cluster DNS; reads the Corefile that -conf names',
    programs: ['/coredns', 'coredns'],
    entrypoint: 'own',
    start: (context) => new DnsProcess(options, context),
  };
}

class DnsProcess implements BuiltinProcess {
  readonly exited: Promise<BuiltinExit>;
  readonly ready: Promise<void>;
  readonly #exit: (exit: BuiltinExit) => void;
  readonly #context: BuiltinContext;
  #server: DnsServer | undefined;
  #stopped = false;

  constructor(options: DnsImageOptions, context: BuiltinContext) {
    const { promise, resolve } = Promise.withResolvers<BuiltinExit>();
    this.exited = promise;
    this.#exit = resolve;
    this.#context = context;
    this.ready = this.#start(options);
  }

  stop(signal: NodeJS.Signals): void {
    if (this.#stopped && signal !== 'SIGKILL') return;
    this.#stopped = true;
    if (signal === 'SIGKILL') {
      void this.#server?.kill();
      this.#exit({ exitCode: 137 });
    } else void this.#end();
  }

  async #start({ zone, clock, random }: DnsImageOptions): Promise<void> {
    const { netns, log, podIPs } = this.#context;
    try {
      const path = this.#corefilePath();
      const read = async (): Promise<string> => await readFile((await this.#context.volumePath(path)) ?? path, 'utf8');
      const server = await startDnsServer({
        corefile: read,
        corefileName: path,
        zone,
        clock,
        random,
        log: (level, line) => log(printLogLine(level, line)),
        network: networkOf(netns),
        ownAddresses: () => podIPs,
        // The sandbox has no way out; a question for another zone is answered with the reason.
        upstream: 'off',
        version: towtankVersion(),
      });
      this.#server = server;
      if (this.#stopped) return await server.kill();
      server.failed.catch((error: Error) => this.#fail(error));
    } catch (error) {
      this.#fail(error as Error);
    }
  }

  #corefilePath(): string {
    const words = this.#context.args.map((word) => word.replace(/^-(?=[a-z])/, '--'));
    const { values } = parseArgs({ args: words, options: { conf: { type: 'string', default: 'Corefile' } } });
    return values.conf;
  }

  #fail(error: Error): void {
    this.#context.log(error.message);
    void this.#server?.kill();
    this.#exit({ exitCode: 1 });
  }

  async #end(): Promise<void> {
    await this.#server?.[Symbol.asyncDispose]();
    this.#exit({ exitCode: 0 });
  }
}

function networkOf(netns: NetworkNamespace): DnsNetwork {
  const hosts = (address: string): readonly string[] => (address === '' ? everyAddress(netns) : [address]);
  const family = (host: string): 4 | 6 => (isIPv6(host) ? 6 : 4);
  return {
    bindUdp: (address, port) =>
      Promise.all(hosts(address).map((host) => adoptUdpSocket(bindUdp(netns, { host, port }), family(host)))),
    listenTcp: (address, port) =>
      Promise.all(hosts(address).map((host) => adoptTcpServer(listenTcp(netns, { host, port })))),
    openUdp: (ipFamily) =>
      adoptUdpSocket(bindUdp(netns, { host: ipFamily === 6 ? '::' : '0.0.0.0', port: 0 }), ipFamily),
    connectTcp: (address, port) => connectTcp(netns, { host: address, port }),
  };
}
