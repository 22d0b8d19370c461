import { readFileSync } from 'node:fs';
import type { Command } from 'commander';
import type { SnapshotPlace } from '../../cluster/snapshots.ts';
import { UserError } from '../../errors/towtank-error.ts';
import { nameOption } from './options.ts';

interface PlaceOptions {
  readonly name: string;
  readonly file?: string;
}

const FILE_HELP = 'the store as a cluster.yaml describes it: for an etcd whose cluster does not run here';

/** `snapshot save` and `snapshot restore`. */
export function addSnapshotCommands(program: Command): void {
  const snapshot = program
    .command('snapshot')
    .description('save all objects of a cluster in a file, and restore them')
    .addHelpText(
      'after',
      '\nExamples:\n  towtank snapshot save before.snapshot\n  towtank down --keep && towtank snapshot restore before.snapshot && towtank up',
    );
  snapshot
    .command('save')
    .description('write everything that the store of a cluster holds into a file')
    .argument('<file>', 'where to; replaced whole or not at all')
    .addOption(nameOption())
    .option('-f, --file <cluster.yaml>', FILE_HELP)
    .addHelpText(
      'after',
      '\nExamples:\n  towtank snapshot save before.snapshot\n  towtank snapshot save before.snapshot --name second\n  towtank snapshot save etcd.snapshot -f cluster.yaml\n\nThe file holds Secrets and the keys of the cluster: its mode is 0600.',
    )
    .action(async (path: string, options: PlaceOptions) => {
      const { saveSnapshot } = await import('../../cluster/snapshots.ts');
      const { entries, revision, bytes } = await saveSnapshot(path, await placeOf(options));
      process.stdout.write(`saved ${entries} entries at revision ${revision} in ${path} (${bytes} bytes)\n`);
    });
  snapshot
    .command('restore')
    .description('replace everything that the store of a cluster holds by a file; the cluster must be down')
    .argument('<file>', 'a file of towtank snapshot save, of any engine')
    .addOption(nameOption())
    .option('-f, --file <cluster.yaml>', FILE_HELP)
    .addHelpText(
      'after',
      '\nExamples:\n  towtank snapshot restore before.snapshot && towtank up\n  towtank snapshot restore before.snapshot --name copy && towtank up --name copy\n  towtank snapshot restore before.snapshot -f cluster.yaml',
    )
    .action(async (path: string, options: PlaceOptions) => {
      const { restoreSnapshot } = await import('../../cluster/snapshots.ts');
      const place = await placeOf(options);
      const { entries, engine, putAside } = await restoreSnapshot(path, place);
      if (putAside !== undefined) process.stdout.write(`the damaged store was put aside as ${putAside}\n`);
      const name = place.name === 'towtank' ? '' : ` --name ${place.name}`;
      process.stdout.write(`restored ${entries} entries into ${engine}; go on with: towtank up${name}\n`);
    });
  for (const command of snapshot.commands)
    command.exitOverride().showHelpAfterError('(add --help to see what is possible)');
}

async function placeOf({ name, file }: PlaceOptions): Promise<SnapshotPlace> {
  if (file === undefined) return { name };
  const { parseClusterConfig } = await import('../../cluster/config/parse-cluster-config.ts');
  const config = parseClusterConfig(readText(file), file, name === 'towtank' ? {} : { name });
  return { name: config.name, config };
}

function readText(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (cause) {
    throw new UserError({
      code: 'ERR_USAGE',
      message: `cannot read ${file}: ${(cause as Error).message}`,
      hint: 'is the path right?',
      cause,
    });
  }
}
