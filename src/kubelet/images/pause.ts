import type { BuiltinContext, BuiltinImage, BuiltinProcess } from './builtin-image.ts';
import { BuiltinProgram } from './serving/builtin-program.ts';

/** A program that does nothing until it is told to stop, which it does with exit code 0. */
export function pauseProgram({ log }: BuiltinContext): BuiltinProcess {
  return new BuiltinProgram((signal, program) => {
    log(`Shutting down, got signal: ${signal === 'SIGTERM' ? 'Terminated' : signal}`);
    program.exit(0);
  });
}

/** The image that keeps a pod's namespaces in other clusters. */
export const pause: BuiltinImage = {
  names: ['pause'],
  summary: 'Does nothing until it is stopped.',
  programs: ['pause'],
  entrypoint: 'own',
  start: (context) => pauseProgram(context),
};
