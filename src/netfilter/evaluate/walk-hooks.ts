import type { HookName } from '../nftables/table.ts';
import type { Branch, HookProgram } from './hook-program.ts';
import { isLocalAddress } from './packet.ts';
import type { PathState } from './path-state.ts';

/**
 * Takes a packet through the hooks as the kernel does: prerouting, then input or forward and postrouting; or output and
 * postrouting, and for addresses of the host prerouting and input again on the loopback interface.
 */
export function walkHooks(programs: readonly HookProgram[], start: PathState): Branch[] {
  const atHook = new Map<HookName, readonly HookProgram[]>();
  for (const hook of hooks) atHook.set(hook, programs.filter((program) => program.hook === hook).sort(byPriority));
  const done: Branch[] = [];
  const waiting: PathState[] = [start];
  // Grows while it is walked: every way goes on at its next hook.
  for (const state of waiting) {
    for (const branch of runHook(atHook.get(state.hook) ?? [], state)) {
      const next = branch.result === 'accept' ? nextHook(branch.state, start) : undefined;
      if (next === undefined) done.push(branch);
      else waiting.push({ ...branch.state, hook: next });
    }
  }
  return done;
}

const hooks: readonly HookName[] = ['prerouting', 'input', 'forward', 'output', 'postrouting'];

// Chains of one priority run in the order in which they were registered; sort is stable.
const byPriority = (a: HookProgram, b: HookProgram): number => a.priority - b.priority;

function nextHook(state: PathState, start: PathState): HookName | undefined {
  const isLocal = isLocalAddress(state.host, state.destination);
  switch (state.hook) {
    case 'prerouting':
      return isLocal ? 'input' : 'forward';
    case 'forward':
    case 'output':
      return 'postrouting';
    case 'postrouting':
      return start.hook === 'output' && isLocal ? 'prerouting' : undefined;
    case 'input':
      return undefined;
  }
}

function runHook(programs: readonly HookProgram[], state: PathState): readonly Branch[] {
  const done: Branch[] = [];
  let pending: readonly PathState[] = [state];
  for (const program of programs) {
    const branches = pending.flatMap((before) => runProgram(program, before));
    done.push(...branches.filter(({ result }) => result !== 'accept'));
    pending = branches.filter(({ result }) => result === 'accept').map(({ state: after }) => after);
  }
  for (const passed of pending) done.push({ state: decideNat(passed), result: 'accept' });
  return done;
}

function runProgram(program: HookProgram, state: PathState): readonly Branch[] {
  if (program.isNat && isNatDecided(state)) return [{ state, result: 'accept' }];
  return program.run(state);
}

// One side of a connection is translated at most once: the first chain that decides wins, and none is a decision too.
function isNatDecided(state: PathState): boolean {
  if (state.conntrackState !== 'new') return true;
  return isDestinationHook(state.hook) ? state.hasDestinationNat : state.hasSourceNat;
}

const isDestinationHook = (hook: HookName): boolean => hook === 'prerouting' || hook === 'output';

function decideNat(state: PathState): PathState {
  if (state.hook === 'forward') return state;
  return isDestinationHook(state.hook) ? { ...state, hasDestinationNat: true } : { ...state, hasSourceNat: true };
}
