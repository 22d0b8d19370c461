import { TowtankError } from '../../errors/towtank-error.ts';
import type { NetworkNamespace } from '../../kernel/network-namespace.ts';
import { type RunningProgram, startProgram } from '../../kernel/programs.ts';
import type { Pod } from '../../kube/generated/types.ts';
import { type ContainerStart, ContainerStartError } from '../container/container-runtime.ts';
import type { PodHostname } from '../files/pod-hostname.ts';
import type { PodFiles } from './pod-files.ts';

/** What all containers of a pod share at run time. */
export interface PodWorld {
  readonly pod: () => Pod;
  readonly netns: NetworkNamespace;
  readonly podIPs: readonly string[];
  readonly hostname: PodHostname;
  readonly files: PodFiles;
}

export interface PodProgram {
  readonly command: readonly string[];
  readonly tty?: boolean;
  readonly stdin?: 'pipe' | 'ignore';
}

/**
 * Starts a program of the host in the world of a container: the pod's network, hostname and files, the container's volumes
 * and environment, processes of its own. Rejects with ContainerStartError in the words of container runtimes.
 */
export async function startInPod(world: PodWorld, start: Launched, program: PodProgram): Promise<RunningProgram> {
  const { spec } = start.container;
  try {
    await world.files.ensure();
    const mounts = await world.files.mounts(spec, start.env);
    return startProgram({
      command: program.command,
      env: programEnvironment(world, start, program.tty === true),
      ...(spec.workingDir ? { cwd: spec.workingDir } : {}),
      netns: world.netns,
      sandbox: { hostname: world.hostname.hostname, files: world.files.replacements, mounts, proc: true },
      ...(program.tty === true ? { tty: true } : {}),
      ...(program.stdin === undefined ? {} : { stdin: program.stdin }),
    });
  } catch (error) {
    throw startError(error);
  }
}

/** The parts of a start that a program in a container needs later, too. */
export type Launched = Pick<ContainerStart, 'container' | 'env' | 'plan'>;

/** The environment that a program of a container sees. */
export function programEnvironment(
  world: PodWorld,
  { env }: Launched,
  isTty: boolean,
): Readonly<Record<string, string>> {
  return { HOSTNAME: world.hostname.hostname, ...(isTty ? { TERM: 'xterm' } : {}), ...env };
}

/** Any failure to start a program, as container runtimes tell it. */
export function startError(error: unknown): ContainerStartError {
  if (error instanceof ContainerStartError) return error;
  const isOurs = error instanceof TowtankError;
  const known = isOurs && (error.code === 'ERR_MISSING_PROGRAM' || error.code === 'ERR_PERMISSION');
  const what = known ? 'unable to start container process: ' : '';
  const { message } = error as Error;
  return new ContainerStartError(
    `failed to create containerd task: failed to create shim task: OCI runtime create failed: runc create failed: ${what}${message}: unknown`,
    { cause: error },
  );
}
