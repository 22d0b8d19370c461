import { hasCode } from '../../src/errors/towtank-error.ts';
import { findExecutable } from '../../src/kernel/programs/find-executable.ts';

/** Path of a program on the PATH, or of one that is named by its path; undefined when it is not there or may not be run. */
export function findProgram(name: string): string | undefined {
  try {
    return findExecutable(name, process.env['PATH'] ?? '', process.cwd());
  } catch (error) {
    if (hasCode(error, 'ERR_MISSING_PROGRAM') || hasCode(error, 'ERR_PERMISSION')) return undefined;
    throw error;
  }
}
