import type { Duplex, Readable } from 'node:stream';
import type { KubeClient } from '../kube/client.ts';
import type { Clock, Random } from '../kube/clock.ts';
import type { Pod } from '../kube/generated/types.ts';
import type { Informer } from '../kube/informer.ts';
import type { SharedInformers } from '../kube/informers.ts';
import type {
  ExecOptions,
  ExitStatus,
  KubeletConnection,
  LogOptions,
  ProcessStreams,
} from '../kube/kubelet-connection.ts';
import type { NodeRequest, NodeResponse } from '../kube/node-proxy.ts';
import type { NodeDns } from '../kube/resolv-conf.ts';
import { type KubeObject, resources } from '../kube/resources.ts';
import { ApiStatusError } from '../kube/status.ts';
import type { BuiltinImage } from './images/builtin-image.ts';
import { builtinImages } from './images/builtin-images.ts';
import { ImageStore } from './images/image-store.ts';
import { Kubelet, type KubeletNode } from './kubelet.ts';
import type { KubeletShared } from './kubelet-shared.ts';
import { Heartbeats } from './node/heartbeats.ts';
import { readMachineFacts } from './node/machine-facts.ts';
import { PodsByNode } from './pod/pods-by-node.ts';
import { StatusWriter } from './pod/status-writer.ts';
import { Turnstile } from './pod/turnstile.ts';
import type { IssueToken } from './runtime/pod-files.ts';
import type { LookUp } from './runtime/pod-world.ts';
import { answerKubeletApi } from './stream/kubelet-api.ts';
import { PodStreams } from './stream/pod-streams.ts';

export interface KubeletsOptions {
  readonly client: KubeClient;
  /** Pods, ConfigMaps, Secrets and Services are read through these. */
  readonly informers: SharedInformers;
  readonly clock: Clock;
  readonly random: Random;
  /** A folder that only this cluster uses: files and volumes of pods. */
  readonly stateDir: string;
  /** A folder on a tmpfs for what pods write to their root file system; default one below /run. */
  readonly runtimeDir?: string;
  readonly dns: Omit<NodeDns, 'nodeIPs'>;
  /** Resolves names for built-in images where pods have no resolver file of their own; default: the C library does. */
  readonly lookUp?: LookUp | undefined;
  readonly issueToken: IssueToken;
  /** As in `kubectl get nodes`: `v1.33.1`. */
  readonly kubeletVersion: string;
  /** As in `kubectl get nodes -o wide`: `towtank://0.1.0`. */
  readonly containerRuntimeVersion: string;
  /** Images besides the kubelet's own; one with the same name replaces it. */
  readonly images?: readonly BuiltinImage[];
  /** Bytes of output kept of each run of a container; default 4 MiB. */
  readonly logLimitBytes?: number;
  /** Which iptables makes host ports; default the machine's own. */
  readonly iptablesBackend?: 'auto' | 'nft' | 'legacy';
  /** Told of failures that show nowhere in the API. */
  readonly onError: (error: unknown) => void;
}

const DEFAULT_RUNTIME_DIR = '/run/towtank/layers';
const DEFAULT_LOG_BYTES = 4 * 1024 * 1024;

/** The kubelets of all nodes of a cluster, in one process: one set of informers, one timer for heartbeats, one status writer. */
export class Kubelets implements KubeletConnection, AsyncDisposable {
  readonly #options: KubeletsOptions;
  readonly #shared: KubeletShared;
  readonly #kubelets = new Map<string, Kubelet>();
  readonly #streams: PodStreams;

  constructor(options: KubeletsOptions) {
    const { client, clock, informers, onError } = options;
    const configMaps = informers.for(resources.configMaps);
    const secrets = informers.for(resources.secrets);
    const services = informers.for(resources.services);
    this.#options = options;
    this.#shared = {
      ...options,
      machine: readMachineFacts(),
      runtimeDir: options.runtimeDir ?? DEFAULT_RUNTIME_DIR,
      logLimitBytes: options.logLimitBytes ?? DEFAULT_LOG_BYTES,
      iptablesBackend: options.iptablesBackend ?? 'auto',
      images: new ImageStore([...builtinImages, ...(options.images ?? [])]),
      objects: {
        configMap: (key) => configMaps.get(key),
        secret: (key) => secrets.get(key),
        services: () => services.list(),
      },
      pods: new PodsByNode(informers.for(resources.pods)),
      statuses: new StatusWriter({ client, clock, onError }),
      heartbeats: new Heartbeats({ client, clock, onError }),
      turnstile: new Turnstile(),
    };
    this.#streams = new PodStreams((uid) => this.#worker(uid));
    this.#tellOf(configMaps, 'configmap');
    this.#tellOf(secrets, 'secret');
  }

  /** Starts the kubelet of a node; resolves when the node is registered. */
  async start(node: KubeletNode): Promise<Kubelet> {
    const { informers } = this.#options;
    const needed = [resources.configMaps, resources.secrets, resources.services, resources.pods];
    await Promise.all(needed.map((type) => informers.for<KubeObject>(type).start()));
    const kubelet = new Kubelet(this.#shared, node);
    this.#kubelets.set(kubelet.nodeName, kubelet);
    await kubelet.start();
    return kubelet;
  }

  get(nodeName: string): Kubelet | undefined {
    return this.#kubelets.get(nodeName);
  }

  /** Stops the kubelet of a node and kills its pods. A node that is not there is no error. */
  async stop(nodeName: string): Promise<void> {
    const kubelet = this.#kubelets.get(nodeName);
    this.#kubelets.delete(nodeName);
    await kubelet?.[Symbol.asyncDispose]();
  }

  logs(pod: Pod, container: string, options: LogOptions): Promise<Readable> {
    return this.#streams.logs(pod, container, options);
  }

  exec(pod: Pod, container: string, options: ExecOptions): Promise<ExitStatus> {
    return this.#streams.exec(pod, container, options);
  }

  attach(pod: Pod, container: string, streams: ProcessStreams): Promise<ExitStatus> {
    return this.#streams.attach(pod, container, streams);
  }

  portForward(pod: Pod, port: number): Promise<Duplex> {
    return this.#streams.portForward(pod, port);
  }

  /** Answers a request to a kubelet's own HTTP interface; rejects with ApiStatusError NotFound when there is no such node. */
  async request(nodeName: string, request: NodeRequest): Promise<NodeResponse> {
    const kubelet = this.#kubelets.get(nodeName);
    if (kubelet === undefined) throw new ApiStatusError('NotFound', `nodes "${nodeName}" not found`);
    return answerKubeletApi(kubelet, request);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([...this.#kubelets.keys()].map((nodeName) => this.stop(nodeName)));
    this.#shared.heartbeats[Symbol.dispose]();
    this.#shared.statuses[Symbol.dispose]();
  }

  #worker(uid: string) {
    for (const kubelet of this.#kubelets.values()) {
      const worker = kubelet.workers.get(uid);
      if (worker !== undefined) return worker;
    }
    return undefined;
  }

  #tellOf<T extends KubeObject>(informer: Informer<T>, kind: 'configmap' | 'secret'): void {
    informer.onChange(({ previous, current }) => {
      const { namespace = '', name = '' } = (current ?? previous)?.metadata ?? {};
      for (const kubelet of this.#kubelets.values()) kubelet.objectChanged(namespace, `${kind}/${name}`);
    });
  }
}
