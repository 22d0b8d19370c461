import type { ExecOptions, ExitStatus } from '../../kube/kubelet-connection.ts';
import type { LaunchPlan } from '../container/launch-plan.ts';
import { buildBuiltinContext } from './builtin-context.ts';
import type { ContainerWorld } from './container-world.ts';

/** Runs a program of a built-in image as a further one in a container: `kubectl exec pod -- /agnhost connect ...`. */
export async function execBuiltin(
  world: ContainerWorld,
  { image, args }: Extract<LaunchPlan, { kind: 'builtin' }>,
  { stdout, stderr, signal }: ExecOptions,
): Promise<ExitStatus> {
  const write = (stream: 'stdout' | 'stderr', text: string): void => {
    const target = stream === 'stdout' ? stdout : (stderr ?? stdout);
    if (target?.writable) target.write(text);
  };
  try {
    const process = await image.start(buildBuiltinContext(world, args, write));
    signal.addEventListener('abort', () => process.stop('SIGKILL'), { once: true });
    if (signal.aborted) process.stop('SIGKILL');
    return await process.exited;
  } catch (error) {
    write('stderr', `${(error as Error).message}\n`);
    return { exitCode: 1 };
  }
}
