import { isIP } from 'node:net';
import type { OutputStream } from '../container/container-log.ts';
import type { BuiltinContext, HostProgramResult } from '../images/builtin-image.ts';
import type { ContainerWorld } from './container-world.ts';
import { exitCodeOf } from './program-output.ts';

/** Builds the world that a program of a built-in image sees. */
export function buildBuiltinContext(
  world: ContainerWorld,
  args: readonly string[],
  write: (stream: OutputStream, text: string) => void,
): BuiltinContext {
  const { pod, start } = world;
  const { spec } = start.container;
  return {
    netns: pod.netns,
    pod: pod.pod(),
    container: spec.name,
    args,
    env: world.environment(),
    hostname: pod.hostname.hostname,
    podIPs: pod.podIPs,
    now: () => pod.clock.now(),
    schedule: (ms, callback) => pod.clock.schedule(ms, callback),
    log: (line) => write('stderr', `${line}\n`),
    print: (text) => write('stdout', text),
    run: (command) => runToEnd(world, command),
    resolve: (host) => resolveName(world, host),
    volumePath: (path) => filePath(world, path),
  };
}

// Where pods have no files of their own, those that they should have are read where they lie.
async function filePath({ pod, start }: ContainerWorld, path: string): Promise<string | undefined> {
  const replacement = pod.netns.place === undefined ? undefined : pod.files.replacements[path];
  if (replacement === undefined) return pod.files.hostPath(start.container.spec, path);
  await pod.files.ensure();
  return replacement;
}

async function runToEnd(world: ContainerWorld, command: readonly string[]): Promise<HostProgramResult> {
  const program = await world.startProgram({ command, needsFiles: false });
  const [stdout, stderr, exitCode] = await Promise.all([
    readAll(program.stdout),
    readAll(program.stderr),
    exitCodeOf(program),
  ]);
  return { stdout, stderr, exitCode };
}

async function readAll(stream: AsyncIterable<Buffer>): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of stream) chunks.push(chunk);
  return Buffer.concat(chunks);
}

// The C library's own resolver, in the pod's network and with its files, is the one that its programs would use.
async function resolveName(world: ContainerWorld, host: string): Promise<readonly string[]> {
  if (isIP(host) !== 0) return [host];
  if (world.pod.lookUp !== undefined) return world.pod.lookUp(host);
  const { exitCode, stdout } = await runToEnd(world, ['getent', 'ahosts', host]);
  const words = stdout
    .toString('utf8')
    .split('\n')
    .map((line) => line.split(/\s+/)[0] ?? '');
  const found = [...new Set(words.filter((word) => isIP(word) !== 0))];
  if (exitCode !== 0 || found.length === 0) throw new Error(`lookup ${host}: no such host`);
  return found;
}
