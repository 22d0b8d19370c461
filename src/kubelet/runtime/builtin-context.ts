import { isIP } from 'node:net';
import type { Clock } from '../../kube/clock.ts';
import type { OutputStream } from '../container/container-log.ts';
import type { BuiltinContext, HostProgramResult } from '../images/builtin-image.ts';
import { type Launched, type PodWorld, programEnvironment, startInPod } from './pod-world.ts';
import { exitCodeOf } from './program-output.ts';

export interface BuiltinContextOptions {
  readonly world: PodWorld;
  readonly start: Launched;
  readonly args: readonly string[];
  readonly clock: Clock;
  readonly write: (stream: OutputStream, text: string) => void;
}

/** Builds the world that a program of a built-in image sees. */
export function buildBuiltinContext({ world, start, args, clock, write }: BuiltinContextOptions): BuiltinContext {
  const run = (command: readonly string[]): Promise<HostProgramResult> => runInPod(world, start, command);
  const { spec } = start.container;
  return {
    netns: world.netns,
    pod: world.pod(),
    container: spec.name,
    args,
    env: programEnvironment(world, start, false),
    hostname: world.hostname.hostname,
    podIPs: world.podIPs,
    now: () => clock.now(),
    schedule: (ms, callback) => clock.schedule(ms, callback),
    log: (line) => write('stderr', `${line}\n`),
    print: (text) => write('stdout', text),
    run,
    resolve: (host) => resolveInPod(host, run),
    volumePath: (path) => world.files.hostPath(spec, path),
  };
}

async function runInPod(world: PodWorld, start: Launched, command: readonly string[]): Promise<HostProgramResult> {
  const program = await startInPod(world, start, { command });
  const read = async (stream: AsyncIterable<Buffer>): Promise<Buffer> => {
    const chunks: Buffer[] = [];
    for await (const chunk of stream) chunks.push(chunk);
    return Buffer.concat(chunks);
  };
  const [stdout, stderr, exitCode] = await Promise.all([
    read(program.stdout),
    read(program.stderr),
    exitCodeOf(program),
  ]);
  return { stdout, stderr, exitCode };
}

// The C library's own resolver, in the pod's network and with its files, is the one that its programs would use.
async function resolveInPod(
  host: string,
  run: (command: readonly string[]) => Promise<HostProgramResult>,
): Promise<readonly string[]> {
  if (isIP(host) !== 0) return [host];
  const { exitCode, stdout } = await run(['getent', 'ahosts', host]);
  const addresses = stdout
    .toString('utf8')
    .split('\n')
    .map((line) => line.split(/\s+/)[0] ?? '');
  const found = [...new Set(addresses.filter((address) => isIP(address) !== 0))];
  if (exitCode !== 0 || found.length === 0) throw new Error(`lookup ${host}: no such host`);
  return found;
}
