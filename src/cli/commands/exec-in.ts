import { findCluster } from '../../cluster/cluster.ts';
import { parseTarget } from './options.ts';

export interface ExecInOptions {
  readonly name: string;
  readonly namespace: string;
  readonly container?: string | undefined;
  readonly place: string;
  readonly command: readonly string[];
}

/** Runs a command inside the cluster with this terminal, if it is one; resolves with the command's exit code. */
export async function execIn(options: ExecInOptions): Promise<number> {
  const cluster = findCluster(options.name);
  const { nodes } = await cluster.status();
  const found = parseTarget(
    options.place,
    options.namespace,
    nodes.map((node) => node.name),
  );
  const target = found.kind === 'pod' ? { ...found, container: options.container } : found;
  const tty = Boolean(process.stdin.isTTY && process.stdout.isTTY);
  const { stdin, stdout, stderr } = process;
  if (tty) stdin.setRawMode(true);
  try {
    return await cluster
      .at(target)
      .stream(options.command, { stdin, stdout, stderr, onResize: tty ? followWindow : undefined }, tty);
  } finally {
    if (tty) stdin.setRawMode(false);
    stdin.destroy();
  }
}

function followWindow(send: (columns: number, rows: number) => void): void {
  const tell = (): void => send(process.stdout.columns, process.stdout.rows);
  tell();
  process.stdout.on('resize', tell);
}
