import type { Duplex, Readable } from 'node:stream';
import type { Pod } from '../../kube/generated/types.ts';
import type {
  ExecOptions,
  ExitStatus,
  KubeletConnection,
  LogOptions,
  ProcessStreams,
} from '../../kube/kubelet-connection.ts';
import { ApiStatusError } from '../../kube/status.ts';
import type { ContainerRecord } from '../container/container-record.ts';
import { ContainerStartError, type RunningContainer } from '../container/container-runtime.ts';
import type { PodWorker } from '../pod/pod-worker.ts';

const COMMAND_NOT_FOUND = 127;
const CANNOT_EXECUTE = 126;

/** Serves logs, exec, attach and port-forward of the pods whose workers `find` knows. */
export class PodStreams implements KubeletConnection {
  readonly #find: (uid: string) => PodWorker | undefined;

  constructor(find: (uid: string) => PodWorker | undefined) {
    this.#find = find;
  }

  async logs(pod: Pod, container: string, options: LogOptions): Promise<Readable> {
    const record = this.#record(pod, container);
    const log = options.previous ? record.previousLog : record.log;
    if (log !== undefined) return log.open(options);
    const name = pod.metadata?.name;
    if (options.previous) {
      throw new ApiStatusError('BadRequest', `previous terminated container "${container}" in pod "${name}" not found`);
    }
    throw new ApiStatusError('BadRequest', `container "${container}" in pod "${name}" is ${waitingText(record)}`);
  }

  async exec(pod: Pod, container: string, options: ExecOptions): Promise<ExitStatus> {
    try {
      return await this.#running(pod, container).exec(options);
    } catch (error) {
      if (!(error instanceof ContainerStartError)) throw error;
      const [, what] = /(exec: .*): unknown$/.exec(error.message) ?? [];
      const text = `OCI runtime exec failed: exec failed: unable to start container process: ${what ?? error.message}\n`;
      (options.stderr ?? options.stdout)?.write(text);
      return { exitCode: error.message.includes('permission denied') ? CANNOT_EXECUTE : COMMAND_NOT_FOUND };
    }
  }

  async attach(pod: Pod, container: string, streams: ProcessStreams): Promise<ExitStatus> {
    return this.#running(pod, container).attach(streams);
  }

  async portForward(pod: Pod, port: number): Promise<Duplex> {
    const sandbox = this.#worker(pod).sandbox;
    if (sandbox === undefined) throw new ApiStatusError('BadRequest', `pod "${pod.metadata?.name}" is not running`);
    return sandbox.connect(port);
  }

  #worker(pod: Pod): PodWorker {
    const { name, namespace, uid = '' } = pod.metadata ?? {};
    const worker = this.#find(uid);
    if (worker !== undefined) return worker;
    throw new ApiStatusError('NotFound', `pod "${name}_${namespace}" not found on node "${pod.spec?.nodeName ?? ''}"`);
  }

  #record(pod: Pod, container: string): ContainerRecord {
    const record = this.#worker(pod).container(container);
    if (record !== undefined) return record;
    throw new ApiStatusError('BadRequest', `container ${container} is not valid for pod ${pod.metadata?.name}`);
  }

  #running(pod: Pod, container: string): RunningContainer {
    const { running } = this.#record(pod, container);
    if (running !== undefined) return running;
    throw new ApiStatusError('InternalError', `container not found ("${container}")`);
  }
}

function waitingText(record: ContainerRecord): string {
  const { reason } = record.status().state?.waiting ?? {};
  if (reason === 'ErrImagePull' || reason === 'ImagePullBackOff')
    return 'waiting to start: trying and failing to pull image';
  if (reason === 'ErrImageNeverPull') return 'waiting to start: image is not present and pull policy is Never';
  return `waiting to start: ${reason ?? 'ContainerCreating'}`;
}
