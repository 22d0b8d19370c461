import { realpathSync } from 'node:fs';
import { basename } from 'node:path';
import type { Family } from '../../netfilter/runner.ts';
import { administratorSearchPath, findExecutable } from '../programs/find-executable.ts';

/** The two ways iptables speaks to the kernel: through nf_tables, or through the older interface. */
export type IptablesBackend = 'nft' | 'legacy';

const found = new Map<string, string>();

/** Path of a program of the iptables family, such as `ip6tables-nft-restore`. Throws ERR_MISSING_PROGRAM. */
export function iptablesProgram(backend: IptablesBackend | 'auto', family: Family, tool: string): string {
  const stem = family === 'ipv4' ? 'iptables' : 'ip6tables';
  const name = `${stem}${backend === 'auto' ? '' : `-${backend}`}${tool}`;
  let path = found.get(name);
  if (path === undefined) {
    path = findExecutable(name, administratorSearchPath(), '/');
    found.set(name, path);
  }
  return path;
}

/** Whether the back end is the older interface; `auto` asks what the machine's own `iptables` is. */
export function isLegacy(backend: IptablesBackend | 'auto'): boolean {
  if (backend !== 'auto') return backend === 'legacy';
  // Before 1.8 there was no other, and the program that is all of them had no word for it.
  return /^(?:xtables|iptables)(?:-legacy)?(?:-multi)?$/.test(
    basename(realpathSync(iptablesProgram('auto', 'ipv4', ''))),
  );
}
