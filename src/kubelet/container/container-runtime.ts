import type { Duplex } from 'node:stream';
import type { Pod } from '../../kube/generated/types.ts';
import type { ExecOptions, ExitStatus, ProcessStreams } from '../../kube/kubelet-connection.ts';
import type { ContainerLog } from './container-log.ts';
import type { LaunchPlan } from './launch-plan.ts';
import type { PodContainer } from './pod-containers.ts';

/** How the main program of a container ended. */
export interface ContainerExit {
  /** 128 + the signal's number when a signal ended it. */
  readonly exitCode: number;
  /** What the program left in its termination message file, if it has one. */
  readonly message?: string | undefined;
}

/** A container whose main program runs. */
export interface RunningContainer {
  /** Never rejects. */
  readonly exited: Promise<ContainerExit>;
  /** Sends a signal to the main program; after its end it does nothing. */
  kill(signal: NodeJS.Signals): void;
  /** Runs a command in the container; rejects with ContainerStartError when the program does not exist. */
  exec(options: ExecOptions): Promise<ExitStatus>;
  /** Joins the streams of the main program until it ends or the signal aborts. */
  attach(streams: ProcessStreams): Promise<ExitStatus>;
}

export interface ContainerStart {
  readonly container: PodContainer;
  readonly plan: LaunchPlan;
  readonly env: Readonly<Record<string, string>>;
  /** Takes the program's output; the runtime closes it when the program has ended. */
  readonly log: ContainerLog;
}

/** The network namespace and the files that the containers of one pod share. */
export interface PodSandbox {
  readonly podIPs: readonly string[];
  /** Rejects with ContainerStartError when the program cannot be started. */
  start(start: ContainerStart): Promise<RunningContainer>;
  /** A connection to this port on the pod's own loopback. */
  connect(port: number): Promise<Duplex>;
  /** Brings files of volumes up to date after an object they come from has changed. */
  refreshVolumes(pod: Pod): Promise<void>;
  /** Gives up network, addresses and files. Repeating it is harmless. */
  remove(): Promise<void>;
}

/** What makes pods real: the kernel's in production, a fake in unit tests. */
export interface PodRuntime {
  /** Rejects when no address is left or the kernel refuses. */
  createSandbox(pod: Pod): Promise<PodSandbox>;
}

/** The program of a container cannot be started; `message` is what container runtimes say. */
export class ContainerStartError extends Error {}
