import { CommanderError } from 'commander';
import { TowtankError, UserError } from '../errors/towtank-error.ts';
import { styled } from './print/style.ts';
import { buildProgram } from './program.ts';

export const EXIT = { ok: 0, failed: 1, usage: 2, bug: 70 } as const;

/** Runs one command line; resolves with the exit code: 0 ok, 1 something was found or failed, 2 usage, 70 a bug of ours. */
export async function runCommandLine(words: readonly string[]): Promise<number> {
  const outcome = { exitCode: EXIT.ok as number };
  try {
    await buildProgram(outcome).parseAsync(words, { from: 'user' });
    return outcome.exitCode;
  } catch (error) {
    return reportError(error);
  }
}

function reportError(error: unknown): number {
  if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.ok : EXIT.usage;
  const print = (text: string): boolean => process.stderr.write(`${text}\n`);
  if (error instanceof TowtankError && error.code !== 'ERR_INTERNAL') {
    print(`${styled('red', 'error:', process.stderr)} ${error.message}`);
    if (error.hint) print(`${styled('dim', 'hint:', process.stderr)}  ${error.hint}`);
    return error instanceof UserError ? EXIT.usage : EXIT.failed;
  }
  print(
    `this is a bug in towtank, please report it with what stands below:\n${error instanceof Error ? error.stack : String(error)}`,
  );
  return EXIT.bug;
}
