import { readFile } from 'node:fs/promises';
import { parseArgs } from 'node:util';
import { printLogLine } from '../../dns/server/dns-log.ts';
import { type DnsServer, startDnsServer } from '../../dns/server/dns-server.ts';
import type { ZoneProvider } from '../../dns/zone/cluster-zone.ts';
import { UserError } from '../../errors/towtank-error.ts';
import type { Clock, Random } from '../../kube/clock.ts';
import type { BuiltinContext, BuiltinExit, BuiltinImage, BuiltinProcess } from '../../kubelet/images/builtin-image.ts';
import { towtankVersion } from '../version.ts';
import { namespaceDnsNetwork } from './namespace-dns-network.ts';

export interface DnsImageOptions {
  /** The cluster's objects, shared by all replicas. */
  readonly zone: ZoneProvider;
  readonly clock: Clock;
  readonly random: Random;
  /** Networks (CIDR) in which other name servers can be asked. */
  readonly reachable: readonly string[];
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

  async #start({ zone, clock, random, reachable }: DnsImageOptions): Promise<void> {
    const { netns, log, podIPs } = this.#context;
    try {
      const path = this.#corefilePath();
      const read = async (): Promise<string> => (await this.#readFile(path)) ?? noSuchFile(path);
      const server = await startDnsServer({
        corefile: read,
        corefileName: path,
        zone,
        clock,
        random,
        log: (level, line) => log(printLogLine(level, line)),
        network: namespaceDnsNetwork(netns),
        ownAddresses: () => podIPs,
        // The sandbox has no way out; a question for somebody out there is answered with the reason.
        upstream: reachable,
        readFile: (file) => this.#readFile(file),
        version: towtankVersion(),
      });
      this.#server = server;
      if (this.#stopped) return await server.kill();
      server.failed.catch((error: Error) => this.#fail(error));
    } catch (error) {
      this.#fail(error as Error);
    }
  }

  // A volume is read where it lies; what else the container sees, a program in its world reads: its resolv.conf, its hosts.
  async #readFile(path: string): Promise<string | undefined> {
    const volume = await this.#context.volumePath(path);
    if (volume === undefined) {
      const { exitCode, stdout } = await this.#context.run(['cat', path]);
      return exitCode === 0 ? stdout.toString('utf8') : undefined;
    }
    try {
      return await readFile(volume, 'utf8');
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
      throw error;
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

function noSuchFile(path: string): never {
  throw new UserError({
    code: 'ERR_DNS_CONFIG',
    message: `loading Corefile: ${path}: no such file`,
    hint: 'name it with -conf; it is usually a key of the ConfigMap kube-system/coredns',
  });
}
