import { findCluster } from '../../cluster/cluster.ts';
import { forgetKept, isKept } from '../../cluster/kept-cluster.ts';
import { findRunning, listRunning } from '../../cluster/state-folder.ts';

export interface DownOptions {
  readonly name: string;
  readonly all?: boolean;
  readonly keep?: boolean;
}

/** Takes one cluster, or all of this user, down. A name of which nothing is there is an error; no cluster at all with --all is none. */
export async function down({ name, all = false, keep = false }: DownOptions): Promise<void> {
  const names = all ? listRunning().map((record) => record.name) : [name];
  for (const each of names) await downOne(each, keep);
  if (names.length === 0) process.stdout.write('no cluster is running\n');
}

async function downOne(name: string, keep: boolean): Promise<void> {
  if (!findRunning(name) && isKept(name)) {
    if (!keep) forgetKept(name);
    process.stdout.write(keep ? `cluster ${name} was down already; it is kept\n` : `cluster ${name} is forgotten\n`);
    return;
  }
  await findCluster(name).down({ keep });
  process.stdout.write(keep ? `cluster ${name} is down; towtank up goes on with it\n` : `cluster ${name} is down\n`);
}
