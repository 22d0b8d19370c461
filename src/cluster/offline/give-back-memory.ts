import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

/**
 * Collects all garbage and gives the memory back to the system, once, after a start that needed much of it: what runs for
 * months in the background would keep it otherwise, for V8 collects only when it needs room.
 */
export function giveBackMemory(): void {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as (options: {
    readonly type: 'major';
    readonly flavor: 'last-resort';
  }) => void;
  collect({ type: 'major', flavor: 'last-resort' });
}
