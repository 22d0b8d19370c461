import type { BuiltinImage } from './builtin-image.ts';
import { BuiltinProgram } from './serving/builtin-program.ts';

/**
 * Images that people run to have a shell with tools: commands run from the host. Without a command they wait, so that
 * `kubectl exec` has something to go into; the real ones would end at once.
 */
export const shells: BuiltinImage = {
  names: [
    'busybox',
    'alpine',
    'curl',
    'curlimages/curl',
    'debian',
    'ubuntu',
    'fedora',
    'bash',
    'netshoot',
    'dnsutils',
    'jessie-dnsutils',
    'network-multitool',
    'multitool',
    'toolbox',
  ],
  summary: 'A client: commands and kubectl exec run the programs of this machine; waits when it has no command.',
  programs: [],
  entrypoint: 'args',
  shell: true,
  start: () => new BuiltinProgram((_signal, program) => program.exit(0)),
};
