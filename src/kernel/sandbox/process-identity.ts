import { readdirSync, readFileSync } from 'node:fs';

/**
 * When a process started, in clock ticks since boot: with its pid, this names one process for good. Undefined when it is gone,
 * also when only its entry waits for a parent that does not ask.
 */
export function processStartTime(pid: number): string | undefined {
  const fields = statFields(pid);
  return fields?.[0] === 'Z' ? undefined : fields?.[21 - 2];
}

/** Pid of the first child of a process that has one thread. */
export function firstChild(pid: number): number | undefined {
  return (
    childOf(pid) ??
    readdirSync('/proc')
      .map(Number)
      .find((other) => statFields(other)?.[3 - 2] === String(pid))
  );
}

// Kernels without CONFIG_PROC_CHILDREN have no such file; then all processes are looked at.
function childOf(pid: number): number | undefined {
  try {
    const first = readFileSync(`/proc/${pid}/task/${pid}/children`, 'latin1').split(' ', 1)[0];
    return first === undefined || first === '' ? undefined : Number(first);
  } catch {
    return undefined;
  }
}

// Field 2 is the program's name in parentheses and may hold anything; counting starts behind it, with field 3, the state.
function statFields(pid: number): readonly string[] | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  } catch {
    return undefined;
  }
}
