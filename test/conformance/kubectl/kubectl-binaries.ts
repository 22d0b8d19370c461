import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';

export interface KubectlBinary {
  readonly path: string;
  /** `1.32`. */
  readonly version: string;
  readonly minor: number;
}

/** Stands for the binary where there is none; the title of what is skipped says what is missing. */
export const NO_KUBECTL: KubectlBinary = {
  path: '',
  version: 'of any version [needs kubectl on the PATH, or KUBECTL=path:path]',
  minor: 0,
};

/** The binaries of the environment variable KUBECTL (a list with colons), and the one on the PATH; at least NO_KUBECTL. */
export function kubectlBinaries(): readonly KubectlBinary[] {
  const listed = (process.env['KUBECTL'] ?? '').split(':').filter((path) => path !== '' && existsSync(path));
  const found = new Map<string, KubectlBinary>();
  for (const path of [...listed, ...onPath()]) {
    const binary = examine(path);
    if (!found.has(binary.version)) found.set(binary.version, binary);
  }
  return found.size === 0 ? [NO_KUBECTL] : [...found.values()];
}

function onPath(): string[] {
  try {
    return [execFileSync('sh', ['-c', 'command -v kubectl']).toString().trim()];
  } catch {
    // No kubectl on this machine: the suite says so by having nothing to run.
    return [];
  }
}

function examine(path: string): KubectlBinary {
  const text = execFileSync(path, ['version', '--client', '-o', 'json'], {
    stdio: ['ignore', 'pipe', 'ignore'],
  }).toString();
  const { clientVersion } = JSON.parse(text) as { readonly clientVersion: { readonly gitVersion: string } };
  const [, major = '1', minor = '0'] = /^v(\d+)\.(\d+)/.exec(clientVersion.gitVersion) ?? [];
  return { path, version: `${major}.${minor}`, minor: Number(minor) };
}
