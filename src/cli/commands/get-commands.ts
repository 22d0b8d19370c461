import type { Command } from 'commander';
import type { Output } from '../print/output-forms.ts';
import { nameOption, outputOption } from './options.ts';

const EXAMPLES = '\nExamples:\n  towtank get connections\n  towtank get connections --service default/web -o json';

/** `get ...`: lists what only towtank knows of; for Kubernetes objects there is kubectl. */
export function addGetCommands(program: Command): void {
  const get = program.command('get').description('list what kubectl cannot know').addHelpText('after', EXAMPLES);
  get
    .command('connections')
    .description('list the connections and UDP flows that proxies in userspace mode carry')
    .option('--service <name>', 'only of this Service: NAMESPACE/NAME or NAMESPACE/NAME:PORT')
    .addOption(nameOption())
    .addOption(outputOption())
    .addHelpText('after', EXAMPLES)
    .action(async (options: { readonly name: string; readonly service?: string; readonly output: Output }) => {
      const { getConnections } = await import('./get-connections.ts');
      await getConnections(options);
    });
}
