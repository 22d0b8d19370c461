import { TowtankError } from '../../errors/towtank-error.ts';
import type { ProxyLog } from '../../proxy/proxy-log.ts';
import { systemClock } from '../compose/system-clock.ts';

/** Writes a line to standard error. */
export function log({ level, message, error }: ProxyLog): void {
  const cause = error === undefined ? '' : `: ${error instanceof Error ? error.message : String(error)}`;
  const hint = error instanceof TowtankError && error.hint ? ` (${error.hint})` : '';
  process.stderr.write(`${new Date(systemClock.now()).toISOString()} ${level.padEnd(7)} ${message}${cause}${hint}\n`);
}

const SAME_PROBLEM_MS = 60_000;

/** Writes why an API server cannot be reached. Lists and watches fail together, again and again: once a minute is enough. */
export function reportProblems(): (error: unknown) => void {
  let last = { text: '', at: 0 };
  return (error) => {
    const { message: text } = error as Error;
    const now = systemClock.now();
    if (text === last.text && now - last.at < SAME_PROBLEM_MS) return;
    last = { text, at: now };
    log({ level: 'warning', message: text, error: error instanceof TowtankError ? undefined : error });
  };
}
