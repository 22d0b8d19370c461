import { readFileSync } from 'node:fs';
import { findCluster } from '../../cluster/cluster.ts';

/** Prints the kubeconfig of a running cluster, or its path. */
export function kubeconfig(options: { readonly name: string; readonly path?: boolean }): void {
  const path = findCluster(options.name).kubeconfig;
  process.stdout.write(options.path ? `${path}\n` : readFileSync(path, 'utf8'));
}
