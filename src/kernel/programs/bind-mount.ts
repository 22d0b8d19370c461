import { MS_BIND, MS_RDONLY, MS_REC, MS_REMOUNT } from '../ffi/constants.ts';
import { systemCall } from '../ffi/system-calls.ts';
import type { ProgramMount } from './program.ts';

/** Shows `source`, and unless told otherwise what is mounted below it, at `target`, which must exist. */
export function bindMount({ source, target, readOnly = false }: ProgramMount, isTree = true): void {
  const subject = `${source} at ${target}`;
  systemCall('mount', [source, target, null, MS_BIND | (isTree ? MS_REC : 0), null], { subject });
  if (readOnly) systemCall('mount', ['none', target, null, MS_BIND | MS_REMOUNT | MS_RDONLY, null], { subject });
}
