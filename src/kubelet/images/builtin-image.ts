import type { NetworkNamespace } from '../../kernel/network-namespace.ts';
import type { Pod } from '../../kube/generated/types.ts';

/** How a built-in program ended: 0 to 255, as a process would report it. */
export interface BuiltinExit {
  readonly exitCode: number;
}

/** A program of the host that a built-in one started in the world of its pod, after it ended. */
export interface HostProgramResult {
  readonly exitCode: number;
  readonly stdout: Buffer;
  readonly stderr: Buffer;
}

/** The world in which a built-in image's program runs: what a process would get from its container. */
export interface BuiltinContext {
  /** The pod's network namespace; the node's for a pod on the host network. */
  readonly netns: NetworkNamespace;
  readonly pod: Pod;
  /** Name of the container. */
  readonly container: string;
  /** The words after the program's own name. */
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  /** What gethostname() answers in the pod. */
  readonly hostname: string;
  readonly podIPs: readonly string[];
  /** Milliseconds since the epoch. */
  readonly now: () => number;
  /** Calls back once after `ms`; disposing the handle cancels it. */
  readonly schedule: (ms: number, callback: () => void) => Disposable;
  /** Writes one line (without its end) to the container's log, on standard error like Go's log package. */
  readonly log: (line: string) => void;
  /** Writes to standard output as it is. */
  readonly print: (text: string) => void;
  /** Runs a program of the host with the pod's network, files and hostname; resolves when it has ended. */
  readonly run: (command: readonly string[]) => Promise<HostProgramResult>;
  /** Addresses of a name as the pod's own resolver finds them; rejects when there is none. */
  readonly resolve: (host: string) => Promise<readonly string[]>;
  /** Where a path of the container lies on the host when a volume is mounted over it, undefined otherwise. */
  readonly volumePath: (path: string) => Promise<string | undefined>;
}

/** A running built-in program. */
export interface BuiltinProcess {
  /** Never rejects. */
  readonly exited: Promise<BuiltinExit>;
  /** SIGKILL must end it in the same turn of the event loop; other signals do what the real program does with them. */
  stop(signal: NodeJS.Signals): void;
  /** Resolves when it serves; a container counts as started without waiting for it. */
  readonly ready?: Promise<void>;
}

/** An image that towtank serves in process, through sockets in the pod's network namespace: no process, no pull. */
export interface BuiltinImage {
  /** The ends of image names it answers to, without registry and tag: `agnhost` matches `registry.k8s.io/e2e-test-images/agnhost:2.53`. */
  readonly names: readonly string[];
  /** One sentence for the list of images. */
  readonly summary: string;
  /** Names of the programs the image brings: `/agnhost` and `agnhost` as the first word of a command mean the built-in one. */
  readonly programs: readonly string[];
  /** Words after the program's name when the container gives none. */
  readonly defaultArgs?: readonly string[];
  /** `own`: args go to the image's program, as in agnhost; `args`: args are a command line of their own, as in busybox and nginx. */
  readonly entrypoint: 'own' | 'args';
  /** True when the program is a shell: with `stdin: true` and no command the host's sh runs instead of `start`. */
  readonly shell?: boolean;
  /** Starts the program; throws or rejects when it cannot start at all. */
  start(context: BuiltinContext): BuiltinProcess | Promise<BuiltinProcess>;
}
