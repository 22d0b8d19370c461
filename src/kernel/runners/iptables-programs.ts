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
