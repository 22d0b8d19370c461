import { SystemCallError } from '../../../errors/system-call-error.ts';
import type { System } from './system.ts';

/** Passes the result of a call on; throws SystemCallError (ERR_SYSCALL) when it failed. */
export function check(system: System, syscall: string, result: number): number {
  if (result < 0) throw new SystemCallError({ syscall, errno: system.errno() });
  return result;
}
