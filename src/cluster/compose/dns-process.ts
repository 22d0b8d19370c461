import { readFile } from 'node:fs/promises';
import { printLogLine } from '../../dns/server/dns-log.ts';
import { type DnsServer, type DnsServerOptions, startDnsServer } from '../../dns/server/dns-server.ts';
import { UserError } from '../../errors/towtank-error.ts';
import type { BuiltinContext, BuiltinExit, BuiltinProcess } from '../../kubelet/images/builtin-image.ts';
import { towtankVersion } from '../version.ts';
import { namespaceDnsNetwork } from './namespace-dns-network.ts';

/** What a DNS server in a container needs to know besides its context. */
export interface DnsProcessOptions extends Pick<DnsServerOptions, 'zone' | 'clock' | 'random' | 'upstream'> {
  /** Path of the Corefile, as errors name it. */
  readonly corefile: string;
  /** Changes the Corefile's text before it is read. */
  readonly adapt?: (text: string) => string;
  /** Makes what the server listens on; undone when it has ended. */
  readonly prepare?: () => Promise<AsyncDisposable>;
}

/** Reads the program's words; rejects with what is wrong, as the program would print it. */
export type ReadDnsOptions = (context: BuiltinContext) => DnsProcessOptions;

/** A DNS server in the network of a container, with the container's files. */
export class DnsProcess implements BuiltinProcess {
  readonly exited: Promise<BuiltinExit>;
  readonly ready: Promise<void>;
  readonly #exit: (exit: BuiltinExit) => void;
  readonly #context: BuiltinContext;
  #server: DnsServer | undefined;
  #prepared: AsyncDisposable | undefined;
  #stopped = false;

  constructor(context: BuiltinContext, readOptions: ReadDnsOptions) {
    const { promise, resolve } = Promise.withResolvers<BuiltinExit>();
    this.exited = promise;
    this.#exit = resolve;
    this.#context = context;
    this.ready = this.#start(readOptions);
  }

  stop(signal: NodeJS.Signals): void {
    if (this.#stopped && signal !== 'SIGKILL') return;
    this.#stopped = true;
    if (signal === 'SIGKILL') {
      void this.#server?.kill();
      this.#exit({ exitCode: 137 });
    } else void this.#end();
  }

  async #start(readOptions: ReadDnsOptions): Promise<void> {
    const { netns, log, podIPs } = this.#context;
    try {
      const { corefile, adapt = (text) => text, prepare, ...options } = readOptions(this.#context);
      this.#prepared = await prepare?.();
      const server = await startDnsServer({
        ...options,
        corefile: async () => adapt((await this.#readFile(corefile)) ?? noSuchFile(corefile)),
        corefileName: corefile,
        readFile: (file) => this.#readFile(file),
        log: (level, line) => log(printLogLine(level, line)),
        network: namespaceDnsNetwork(netns),
        ownAddresses: () => podIPs,
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

  #fail(error: Error): void {
    this.#context.log(error.message);
    void this.#server?.kill();
    this.#exit({ exitCode: 1 });
  }

  async #end(): Promise<void> {
    await this.#server?.[Symbol.asyncDispose]();
    await this.#prepared?.[Symbol.asyncDispose]();
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
