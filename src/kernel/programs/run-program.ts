import type { Readable } from 'node:stream';
import { startProgram } from '../programs.ts';
import type { ProgramExit, ProgramSpec } from './program.ts';

/** What a program printed and how it ended. */
export interface ProgramResult extends ProgramExit {
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a program to its end with `input` on its standard input. Throws as `startProgram`; any exit status resolves. */
export async function runProgram(spec: ProgramSpec, input = ''): Promise<ProgramResult> {
  const program = startProgram({ ...spec, stdin: input === '' ? 'ignore' : 'pipe' });
  // A program that refuses its input early closes the pipe; its exit status and standard error say why.
  program.stdin.on('error', () => {});
  if (input !== '') program.stdin.end(input);
  const [stdout, stderr, exit] = await Promise.all([text(program.stdout), text(program.stderr), program.exited]);
  return { stdout, stderr, ...exit };
}

async function text(stream: Readable): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of stream) chunks.push(Buffer.from(chunk));
  return Buffer.concat(chunks).toString();
}
