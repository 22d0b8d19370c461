import { readFile, stat } from 'node:fs/promises';
import { UserError } from '../errors/towtank-error.ts';
import type { KubeClient } from '../kube/client.ts';
import type { Clock, Random } from '../kube/clock.ts';
import { SharedInformers } from '../kube/informers.ts';
import { readObjects } from './read-objects.ts';
import type { DnsLog } from './server/dns-log.ts';
import { DnsServer, type DnsServerOptions } from './server/dns-server.ts';
import { ClusterZone, type ZoneProvider } from './zone/cluster-zone.ts';
import { ObjectZone } from './zone/object-zone.ts';
import { slimClient } from './zone/slim-client.ts';

export interface ServeDnsOptions {
  /** A file of objects, read again when it changes, or an API server. */
  readonly source: { readonly file: string } | { readonly client: KubeClient };
  /** Path of a Corefile; default the cluster's zone with forwarding to /etc/resolv.conf and no HTTP pages. */
  readonly corefile?: string | undefined;
  readonly listen: { readonly address: string; readonly port: number };
  readonly clock: Clock;
  readonly random: Random;
  readonly log: DnsLog;
  readonly clusterDomain?: string;
  /** More for the server: network, limits, own addresses. */
  readonly server?: Partial<DnsServerOptions>;
}

/** Milliseconds between looks at the file of objects. */
const LOOK_INTERVAL = 500;

/** Serves cluster DNS without a cluster of ours and without privileges: `towtank dns serve`. */
export async function serveDns(options: ServeDnsOptions): Promise<DnsServer> {
  const { source, clock, corefile } = options;
  const stack = new AsyncDisposableStack();
  let zone: ZoneProvider;
  if ('file' in source) {
    const followed = await FollowedFile.open(source.file, options);
    stack.use(followed);
    zone = followed.zone;
  } else {
    const informers = stack.use(new SharedInformers(slimClient(source.client), clock));
    zone = new ClusterZone(informers, clock);
  }
  const { random, log, listen } = options;
  return await DnsServer.start({
    ...{ clock, random, log, listen, zone },
    corefile: corefile === undefined ? standaloneCorefile(options.clusterDomain) : () => readFile(corefile, 'utf8'),
    corefileName: corefile ?? 'Corefile',
    onClosed: () => stack.disposeAsync(),
    ...options.server,
  });
}

function standaloneCorefile(clusterDomain = 'cluster.local'): string {
  return `. {
    errors
    kubernetes ${clusterDomain} in-addr.arpa ip6.arpa {
       pods insecure
       fallthrough in-addr.arpa ip6.arpa
       ttl 30
    }
    forward . /etc/resolv.conf
    cache 30 {
       disable success ${clusterDomain}
       disable denial ${clusterDomain}
    }
    loop
    loadbalance
}
`;
}

/** A file of objects as a zone; what is faulty is told and the last good state stays. */
class FollowedFile implements Disposable {
  readonly zone: ObjectZone;
  readonly #path: string;
  readonly #clock: Clock;
  readonly #log: DnsLog;
  #seen = '';
  #timer: Disposable | undefined;

  private constructor(path: string, { clock, log }: { readonly clock: Clock; readonly log: DnsLog }) {
    this.#path = path;
    this.#clock = clock;
    this.#log = log;
    this.zone = new ObjectZone(clock);
  }

  static async open(path: string, options: { readonly clock: Clock; readonly log: DnsLog }): Promise<FollowedFile> {
    const file = new FollowedFile(path, options);
    try {
      await file.#look();
    } catch (cause) {
      if (cause instanceof UserError) throw cause;
      const message = `cannot read ${path}: ${(cause as Error).message}`;
      const hint = 'Write it with `kubectl get namespaces,services,endpointslices,pods -A -o yaml`.';
      throw new UserError({ code: 'ERR_INVALID_MANIFEST', message, hint, cause });
    }
    file.#watch();
    return file;
  }

  [Symbol.dispose](): void {
    this.#timer?.[Symbol.dispose]();
  }

  async #look(): Promise<void> {
    const { mtimeMs, size, ino } = await stat(this.#path);
    const seen = `${mtimeMs} ${size} ${ino}`;
    if (seen === this.#seen) return;
    this.#seen = seen;
    this.zone.replace(await readObjects(await readFile(this.#path), this.#path));
  }

  #watch(): void {
    this.#timer = this.#clock.schedule(LOOK_INTERVAL, () => {
      this.#watch();
      this.#look().catch((error: Error) => this.#log('error', `${this.#path} is not taken over: ${error.message}`));
    });
  }
}
