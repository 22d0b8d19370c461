import { spawnSync } from 'node:child_process';

const launcher = new URL('../../towtank', import.meta.url).pathname;

export interface CommandResult {
  readonly exitCode: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs the command line as a user does, with a state folder of the test's own. */
export function runTowtank(words: readonly string[], env: Readonly<Record<string, string>>, input = ''): CommandResult {
  const { status, stdout, stderr } = spawnSync(launcher, words, {
    encoding: 'utf8',
    env: { ...process.env, ...env },
    input,
  });
  return { exitCode: status, stdout, stderr };
}
