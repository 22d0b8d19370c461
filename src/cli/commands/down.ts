import { findCluster } from '../../cluster/cluster.ts';
import { listRunning } from '../../cluster/state-folder.ts';

/** Takes one cluster, or all of this user, down. A name that does not run is an error; no cluster at all with --all is none. */
export async function down(options: { readonly name: string; readonly all?: boolean }): Promise<void> {
  const names = options.all ? listRunning().map((record) => record.name) : [options.name];
  for (const name of names) {
    await findCluster(name).down();
    process.stdout.write(`cluster ${name} is down\n`);
  }
  if (names.length === 0) process.stdout.write('no cluster is running\n');
}
