import { TowtankError } from '../../errors/towtank-error.ts';
import { ContainerStartError } from '../container/container-runtime.ts';

/** Any failure to start a program, as container runtimes tell it. */
export function startError(error: unknown): ContainerStartError {
  if (error instanceof ContainerStartError) return error;
  const isOfProgram =
    error instanceof TowtankError && (error.code === 'ERR_MISSING_PROGRAM' || error.code === 'ERR_PERMISSION');
  const stage = isOfProgram ? 'unable to start container process: ' : '';
  const { message } = error as Error;
  return new ContainerStartError(
    `failed to create containerd task: failed to create shim task: OCI runtime create failed: runc create failed: ${stage}${message}: unknown`,
    { cause: error },
  );
}
