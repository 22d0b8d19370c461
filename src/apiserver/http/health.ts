import type { ApiReply } from './api-request.ts';
import { textReply } from './api-request.ts';

/** One named check; undefined means well, a text says what is wrong. */
export interface HealthCheck {
  readonly name: string;
  readonly check: () => string | undefined;
}

const PATHS = new Set(['healthz', 'readyz', 'livez']);

/** Answers /healthz, /readyz, /livez and one check below them; undefined for other paths. */
export function healthReply(
  path: string,
  query: URLSearchParams,
  checks: readonly HealthCheck[],
): ApiReply | undefined {
  const [, endpoint = '', only, ...more] = path.split('/');
  if (!PATHS.has(endpoint) || more.length > 0) return undefined;
  if (only) return oneCheck(only, checks);
  const excluded = new Set(query.getAll('exclude'));
  const results = checks.map(({ name, check }) => ({ name, wrong: excluded.has(name) ? undefined : check() }));
  const failed = results.filter(({ wrong }) => wrong !== undefined);
  const lines = results.map(({ name, wrong }) => {
    if (excluded.has(name)) return `[+]${name} excluded: ok`;
    return wrong === undefined ? `[+]${name} ok` : `[-]${name} failed: reason withheld`;
  });
  const verdict = `${endpoint} check ${failed.length === 0 ? 'passed' : 'failed'}`;
  if (failed.length > 0) return textReply(500, `${[...lines, verdict].join('\n')}\n`);
  return textReply(200, query.has('verbose') ? `${[...lines, verdict].join('\n')}\n` : 'ok');
}

function oneCheck(name: string, checks: readonly HealthCheck[]): ApiReply | undefined {
  const found = checks.find((candidate) => candidate.name === name);
  if (!found) return undefined;
  return found.check() === undefined ? textReply(200, 'ok') : textReply(500, `[-]${name} failed: reason withheld\n`);
}
