import { spawn } from 'node:child_process';
import { once } from 'node:events';

/** Runs a program to its end without blocking this process, which may be the server that it asks. */
export async function runProgram(
  command: readonly string[],
): Promise<{ readonly stdout: string; readonly status: number }> {
  const [program, ...args] = command;
  const child = spawn(program!, args, { stdio: ['ignore', 'pipe', 'pipe'] });
  const chunks: Buffer[] = [];
  child.stdout.on('data', (chunk) => chunks.push(chunk));
  child.stderr.on('data', (chunk) => chunks.push(chunk));
  const [status] = (await once(child, 'close')) as [number | null];
  return { stdout: Buffer.concat(chunks).toString(), status: status ?? -1 };
}
