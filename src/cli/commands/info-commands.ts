import type { Command } from 'commander';
import type { Outcome } from '../outcome.ts';
import type { Output } from '../print/output-forms.ts';
import { nameOption, outputOption } from './options.ts';

/** `status`, `kubeconfig`, `doctor`, `version`, `completion`: commands that only tell. */
export function addInfoCommands(program: Command, outcome: Outcome): void {
  program
    .command('status')
    .description('show what runs: clusters, nodes, pods, health of the parts')
    .addOption(nameOption())
    .addOption(outputOption())
    .addHelpText('after', '\nExamples:\n  towtank status\n  towtank status --name second -o json')
    .action(async (options: { readonly name: string; readonly output: Output }) => {
      const { status } = await import('./status.ts');
      outcome.exitCode = await status(options);
    });

  program
    .command('kubeconfig')
    .description('print the kubeconfig of a cluster, or its path')
    .addOption(nameOption())
    .option('--path', 'print where it is instead of what is in it')
    .addHelpText(
      'after',
      '\nExamples:\n  export KUBECONFIG=$(towtank kubeconfig --path)\n  towtank kubeconfig > ~/.kube/towtank',
    )
    .action(async (options: { readonly name: string; readonly path?: boolean }) => {
      const { kubeconfig } = await import('./kubeconfig.ts');
      kubeconfig(options);
    });

  program
    .command('doctor')
    .description('show what this machine has and lacks, and what each lack costs')
    .addOption(outputOption())
    .addHelpText('after', '\nExamples:\n  towtank doctor\n  towtank doctor -o json')
    .action(async (options: { readonly output: Output }) => {
      const { doctor } = await import('./doctor.ts');
      outcome.exitCode = await doctor(options);
    });

  program
    .command('version')
    .description('print the version')
    .addOption(outputOption())
    .addHelpText('after', '\nExamples:\n  towtank version\n  towtank version -o json')
    .action(async (options: { readonly output: Output }) => {
      const { version } = await import('./version.ts');
      version(options);
    });

  program
    .command('completion')
    .description('print a completion script for a shell')
    .argument('<shell>', 'bash, zsh or fish')
    .addHelpText('after', '\nExamples:\n  source <(towtank completion bash)\n  towtank completion fish | source')
    .action(async (shell: string) => {
      const { completion } = await import('./completion.ts');
      process.stdout.write(completion(program, shell));
    });
}
