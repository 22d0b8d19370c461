import { existsSync } from 'node:fs';
import { PassThrough, Readable } from 'node:stream';
import { UserError } from '../errors/towtank-error.ts';
import { killSandbox } from '../kernel/sandbox.ts';
import type { KubeObject } from '../kube/resources.ts';
import type { ConfigOverrides } from './config/parse-cluster-config.ts';
import { ControlClient, type ExecStreams } from './control/control-client.ts';
import type {
  ApplyResult,
  ClusterStatus,
  ConnectionStatus,
  DnsQueryAnswer,
  DnsQueryRequest,
  FetchRequest,
  FetchResponse,
  Target,
} from './control/protocol.ts';
import { isKept } from './kept-cluster.ts';
import type { LaunchedCluster, LaunchOptions } from './launch-cluster.ts';
import {
  type ClusterPaths,
  type ClusterRecord,
  clusterPaths,
  findRunning,
  removeCluster,
  stateDir,
} from './state-folder.ts';
import type { Tier } from './tiers.ts';

export interface ExecResult {
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
}

export interface ExecSettings {
  /** Text for the command's standard input. */
  readonly stdin?: string | undefined;
}

export interface FetchSettings {
  readonly method?: string | undefined;
  readonly headers?: Readonly<Record<string, string>> | undefined;
  readonly body?: string | undefined;
  /** Milliseconds; default 5000. */
  readonly timeoutMs?: number | undefined;
}

export interface DnsQuerySettings {
  /** Default `A`, of an address `PTR`. */
  readonly type?: string | undefined;
  /** Whose search walk; default `glibc`. */
  readonly library?: DnsQueryRequest['library'] | undefined;
}

/** What `cluster.wait` waits for. */
export interface WaitSettings {
  /** Plural resource name: pods, deployments, services, nodes ... */
  readonly resource: string;
  readonly name: string;
  readonly namespace?: string | undefined;
  /** A condition type (`Ready`, `Available`), `exists`, `deleted`, or `address` (a LoadBalancer Service has its address). */
  readonly for: string;
  /** Milliseconds; default 30000. */
  readonly timeoutMs?: number | undefined;
}

/** A place in the cluster's network from which commands run and requests are made. */
export class Place {
  readonly #control: ControlClient;
  readonly target: Target;

  constructor(control: ControlClient, target: Target) {
    this.#control = control;
    this.target = target;
  }

  /** Runs a command here and collects its output. */
  async exec(command: readonly string[], settings: ExecSettings = {}): Promise<ExecResult> {
    const collect = (): { stream: PassThrough; chunks: Buffer[] } => {
      const stream = new PassThrough();
      const chunks: Buffer[] = [];
      stream.on('data', (chunk: Buffer) => chunks.push(chunk));
      return { stream, chunks };
    };
    const [stdout, stderr] = [collect(), collect()];
    const stdin = settings.stdin === undefined ? undefined : Readable.from([Buffer.from(settings.stdin)]);
    const exitCode = await this.stream(command, { stdin, stdout: stdout.stream, stderr: stderr.stream });
    return {
      exitCode,
      stdout: Buffer.concat(stdout.chunks).toString(),
      stderr: Buffer.concat(stderr.chunks).toString(),
    };
  }

  /** Runs a command here joined to the caller's streams; resolves with its exit code. */
  stream(command: readonly string[], streams: ExecStreams, tty = false): Promise<number> {
    return this.#control.exec({ target: this.target, command, tty, stdin: streams.stdin !== undefined }, streams);
  }

  /** Makes an HTTP request from here, with this place's resolver. Rejects with ERR_TIMEOUT or the socket's error. */
  fetch(url: string, settings: FetchSettings = {}): Promise<FetchResponse> {
    const request: FetchRequest = {
      from: this.target,
      url,
      method: settings.method ?? 'GET',
      headers: settings.headers ?? {},
      body: settings.body,
      timeoutMs: settings.timeoutMs ?? 5000,
    };
    return this.#control.call<FetchResponse>('/fetch', request);
  }

  /** Resolves a name with this place's resolv.conf and tells every question on the way, and why it was answered so. */
  queryDns(name: string, { type, library = 'glibc' }: DnsQuerySettings = {}): Promise<DnsQueryAnswer> {
    const request: DnsQueryRequest = { from: this.target, name, type, library };
    return this.#control.call('/dns-query', request);
  }
}

/** A running cluster, as the library and the command line hold it. Disposing it takes it down. */
export class Cluster implements AsyncDisposable {
  readonly name: string;
  readonly paths: ClusterPaths;
  readonly #record: ClusterRecord;
  readonly #control: ControlClient;

  constructor({ record, paths }: Pick<LaunchedCluster, 'record' | 'paths'>) {
    this.name = record.name;
    this.paths = paths;
    this.#record = record;
    this.#control = new ControlClient(paths.socket);
  }

  /** Path of a kubeconfig with cluster-admin rights. */
  get kubeconfig(): string {
    return this.paths.kubeconfig;
  }

  /** URL of the API server as this machine reaches it. */
  get apiServer(): string {
    return `https://127.0.0.1:${this.#record.apiPort}`;
  }

  /** Applies one or more YAML documents, as `kubectl apply --server-side` does; nothing is applied when one does not parse. */
  apply(yaml: string): Promise<readonly ApplyResult[]> {
    return this.#control.call('/apply', { yaml });
  }

  /** Reads one object, or all of a kind when no name is given. */
  get<T extends KubeObject>(resource: string, name: string, namespace?: string): Promise<T>;
  get<T extends KubeObject>(resource: string): Promise<readonly T[]>;
  get(resource: string, name?: string, namespace?: string): Promise<unknown> {
    return this.#control.call('/get', { resource, name, namespace });
  }

  delete(resource: string, name: string, namespace?: string): Promise<void> {
    return this.#control.call('/delete', { resource, name, namespace });
  }

  /** Resolves when every proxy has written the rules that follow from what the API holds now. */
  settled(): Promise<void> {
    return this.#control.call('/settled');
  }

  /** Resolves when the condition holds and the cluster has settled; rejects with ERR_TIMEOUT that tells the object's last state. */
  wait(settings: WaitSettings): Promise<void> {
    return this.#control.call('/wait', { timeoutMs: 30_000, ...settings });
  }

  /** The connections and UDP flows that proxies in userspace mode carry now. */
  connections(): Promise<readonly ConnectionStatus[]> {
    return this.#control.call('/connections');
  }

  status(): Promise<ClusterStatus> {
    return this.#control.call('/status');
  }

  pod(
    name: string,
    { namespace = 'default', container }: { namespace?: string; container?: string | undefined } = {},
  ): Place {
    return new Place(this.#control, { kind: 'pod', namespace, name, container });
  }

  node(name: string): Place {
    return new Place(this.#control, { kind: 'node', name });
  }

  /** The client that is not part of the cluster. */
  get outside(): Place {
    return new Place(this.#control, { kind: 'client' });
  }

  at(target: Target): Place {
    return new Place(this.#control, target);
  }

  /** Plugs a link that was moved into the sandbox's root namespace into the fabric. */
  plugIn(link: string): Promise<void> {
    return this.#control.call('/plug-in', { link });
  }

  /**
   * Takes the cluster down: one kill, and the kernel removes the rest. Taking down what is gone succeeds. With `keep` its store
   * stays, and the next start of that name goes on with it; throws ERR_USAGE when the store is in memory.
   */
  async down({ keep = false }: { readonly keep?: boolean } = {}): Promise<void> {
    if (keep && this.#record.engine === 'memory') {
      throw new UserError({
        code: 'ERR_USAGE',
        message: `cluster ${this.name} has its store in memory: there is nothing to keep`,
        hint: 'towtank snapshot save FILE keeps its objects',
      });
    }
    await killSandbox(this.#record);
    removeCluster(this.paths, keep);
  }

  /** Everything that the cluster's store holds, as the bytes of a snapshot file. */
  snapshot(): Promise<AsyncIterable<Buffer>> {
    return this.#control.download('/snapshot');
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.down();
  }
}

export interface CreateClusterOptions extends ConfigOverrides {
  /** The `spec` of a cluster.yaml, as an object. */
  readonly spec?: Readonly<Record<string, unknown>> | undefined;
  /** YAML to apply before the cluster counts as ready. */
  readonly manifests?: readonly string[] | undefined;
  readonly stateRoot?: string | undefined;
  /** Default: the full one, and in a container the best that it allows. */
  readonly tier?: Tier | undefined;
  readonly onStep?: LaunchOptions['onStep'];
}

let created = 0;

/** Starts a cluster that lives as long as this process or until it is disposed, whichever ends first. */
export async function createCluster(options: CreateClusterOptions = {}): Promise<Cluster> {
  const { spec, manifests, stateRoot, tier, onStep, ...overrides } = options;
  const name = overrides.name ?? `lib-${process.pid}-${(created++).toString(36)}`;
  // Whoever only speaks with a cluster that runs needs none of this.
  const [{ completeClusterConfig }, { launchCluster }] = await Promise.all([
    import('./config/parse-cluster-config.ts'),
    import('./launch-cluster.ts'),
  ]);
  const config = completeClusterConfig(spec === undefined ? {} : { spec }, { ...overrides, name });
  return new Cluster(await launchCluster({ config, manifests, stateRoot, tier, onStep, lifeline: true }));
}

/** A cluster that runs already. Throws ERR_CLUSTER_NOT_FOUND. */
export function findCluster(name: string, root = stateDir()): Cluster {
  const record = findRunning(name, root);
  if (record) return new Cluster({ record, paths: clusterPaths(name, root) });
  const start = `towtank up${name === 'towtank' ? '' : ` --name ${name}`}`;
  const { log } = clusterPaths(name, root);
  throw new UserError({
    code: 'ERR_CLUSTER_NOT_FOUND',
    message: `no cluster named ${name} is running`,
    hint: [
      ...(existsSync(log) ? [`it ended without being told to, its log is ${log}`] : []),
      `${isKept(name, root) ? 'its objects are kept; go on' : 'start it'} with: ${start}`,
    ].join('; '),
  });
}
