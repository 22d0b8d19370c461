import { administratorSearchPath, findExecutable } from '../programs/find-executable.ts';
import { runProgram } from '../programs/run-program.ts';
import type { Probe } from './finding.ts';
import { type RequiredProgram, requiredPrograms } from './required-programs.ts';

/** One probe for each program that towtank runs: is it there, and of which version. */
export const programProbes: readonly Probe[] = requiredPrograms.map((program) => ({
  name: program.name,
  required: program.required,
  costs: program.costs,
  remedy: `install the package ${program.package}`,
  run: () => versionOf(program),
}));

async function versionOf({ name, version = ['--version'] }: RequiredProgram): Promise<string> {
  const path = findExecutable(name, administratorSearchPath(), '/');
  const env = { PATH: administratorSearchPath(), LC_ALL: 'C' };
  const { stdout, stderr } = await runProgram({ command: [path, ...version], env });
  const line = `${stdout}${stderr}`.split('\n', 1)[0]!.trim();
  return `${line} (${path})`;
}
