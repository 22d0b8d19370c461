import { readlinkSync } from 'node:fs';
import { UserError } from '../../errors/towtank-error.ts';
import { administratorSearchPath, findExecutable } from '../programs/find-executable.ts';

export interface JoinOptions {
  /** A named network namespace of the sandbox: a node, a pod, the outside client. Default: the sandbox's root. */
  readonly netns?: string;
  /** Pid, as the sandbox numbers it, of a pod's process: its files, host name, processes and network are joined instead. */
  readonly target?: number;
}

/**
 * The words to put before a command so that it runs in a sandbox, whose pid 1 is `innerPid` for the host. Works for root and
 * for the user who owns the sandbox. Throws ERR_CLUSTER_NOT_FOUND when the sandbox is gone, ERR_MISSING_PROGRAM.
 */
export function joinCommand(innerPid: number, options: JoinOptions = {}): readonly string[] {
  const nsenter = findExecutable('nsenter', administratorSearchPath(), '/');
  const sandbox = [nsenter, '-t', String(innerPid), ...userOptions(innerPid), '-n', '-m', '-u', '-i', '-p'];
  if (options.target !== undefined)
    return [...sandbox, '--', nsenter, '-t', String(options.target), '-n', '-m', '-u', '-p', '--'];
  if (options.netns !== undefined) return [...sandbox, '--', nsenter, `--net=/run/netns/${options.netns}`, '--'];
  return [...sandbox, '--'];
}

// Root of the host may enter every namespace as it is; others must first become root of the sandbox's user namespace.
function userOptions(innerPid: number): readonly string[] {
  if (process.geteuid?.() === 0) return [];
  return userNamespaceOf(innerPid) === userNamespaceOf('self') ? [] : ['-U', '--preserve-credentials'];
}

function userNamespaceOf(pid: number | 'self'): string {
  try {
    return readlinkSync(`/proc/${pid}/ns/user`);
  } catch (cause) {
    throw new UserError({
      code: 'ERR_CLUSTER_NOT_FOUND',
      message: `the sandbox of process ${pid} is gone, or belongs to another user`,
      hint: 'towtank status shows the clusters of this user',
      cause,
    });
  }
}
