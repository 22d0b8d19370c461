// Benchmarks change rules: each runs in namespaces of its own.
import { spawnSync } from 'node:child_process';

const MARK = 'TOWTANK_BENCH';

/** True in the sandbox. Otherwise runs this file again in one, with the same arguments, and is false when that has ended. */
export function inSandbox(file: string): boolean {
  if (process.env[MARK] === 'inside') return true;
  process.exitCode = sandboxed([file, ...process.argv.slice(2)], 'inherit').status ?? 1;
  return false;
}

/** Runs Node with these words in fresh namespaces. */
export function sandboxed(words: readonly string[], output: 'inherit' | 'pipe'): ReturnType<typeof spawnSync> {
  const user = process.getuid?.() === 0 ? [] : ['--user', '--map-root-user'];
  const flags = [...user, '--net', '--mount', '--pid', '--fork', '--kill-child', '--mount-proc'];
  const prepare = 'mount --make-rprivate / && mount -t tmpfs tmpfs /run && exec "$@"';
  const node = [process.execPath, '--max-semi-space-size=8'];
  return spawnSync('unshare', [...flags, 'sh', '-c', prepare, 'sh', ...node, ...words], {
    stdio: ['ignore', output, output === 'pipe' ? 'pipe' : 'inherit'],
    encoding: 'utf8',
    maxBuffer: 1e8,
    env: { ...process.env, [MARK]: 'inside' },
  });
}
