// Pid 1 of a cluster's sandbox: everything of the cluster runs in this process or as its child. Started by launch-cluster.ts
// with the path of a StartSpec.
import { existsSync, readFileSync, rmSync } from 'node:fs';
import { flushCompileCache } from 'node:module';
import { connect, type Socket } from 'node:net';
import { setFlagsFromString } from 'node:v8';
import { prepareSandbox } from '../kernel/sandbox.ts';
import { requireNetwork } from './claim-network.ts';
import { runCluster } from './compose/run-cluster.ts';
import { toWire } from './control/frames.ts';
import type { StartMessage } from './control/protocol.ts';
import { cleaningVariable, type StartSpec } from './start-spec.ts';

const EXIT_BUG = 70;

function log(text: string): void {
  process.stderr.write(`${new Date().toISOString()} ${text}\n`);
}

async function supervise(spec: StartSpec): Promise<void> {
  const launcher = connect(spec.startSocket);
  const send = (message: StartMessage): void => void launcher.write(`${JSON.stringify(message)}\n`);
  const begun = endWithLauncher(launcher, spec);
  try {
    if (spec.tier === 'flat') requireNetwork();
    const cluster = await runCluster(spec, {
      log,
      onStep: (name) => send({ type: 'step', name, ms: Date.now() - spec.startedAt }),
    });
    process.on('SIGTERM', () => {
      log('told to stop');
      void cluster[Symbol.asyncDispose]().then(() => process.exit(0));
    });
    begun.isReady = true;
    send({ type: 'ready', kubeconfig: spec.paths.kubeconfig });
    // A supervisor ends by SIGKILL: what it compiled has to be kept now, for the next start.
    flushCompileCache();
  } catch (error) {
    log(`the start failed: ${error instanceof Error ? error.stack : String(error)}`);
    launcher.write(`${JSON.stringify({ type: 'failed', error: toWire(error) } satisfies StartMessage)}\n`, () =>
      process.exit(1),
    );
  }
}

// A library's cluster must not outlive it, and none a command that ends before it is ready: the connection is the sign of life.
function endWithLauncher(launcher: Socket, { lifeline, paths, tier }: StartSpec): { isReady: boolean } {
  const begun = { isReady: false };
  launcher.on('error', (error) => log(`the launcher's socket: ${error.message}`));
  launcher.on('close', () => {
    if (!lifeline && begun.isReady) return;
    if (!lifeline) {
      log('who started it has ended before it was ready');
      process.exit(1);
    }
    // Whoever cleans up after a cluster without a sandbox needs the folder still.
    if (tier === 'full') rmSync(paths.folder, { recursive: true, force: true });
    process.exit(0);
  });
  launcher.resume();
  return begun;
}

function endOnBug(what: string, error: unknown): void {
  log(`${what}: ${error instanceof Error ? error.stack : String(error)}`);
  process.exit(EXIT_BUG);
}
process.on('uncaughtException', (error) => endOnBug('uncaught exception', error));
process.on('unhandledRejection', (error) => endOnBug('unhandled rejection', error));

function readSpec(path: string): StartSpec {
  return JSON.parse(readFileSync(path, 'utf8')) as StartSpec;
}

// The folder of a lifeline's cluster may be that of the next one by now.
function removeOwnFolder({ paths, startedAt }: StartSpec, specFile: string): void {
  if (existsSync(specFile) && readSpec(specFile).startedAt === startedAt)
    rmSync(paths.folder, { recursive: true, force: true });
}

const [, , specFile = ''] = process.argv;
const isCleaning = process.argv.includes('--clean');
const spec = isCleaning ? (JSON.parse(process.env[cleaningVariable] ?? '') as StartSpec) : readSpec(specFile);
// Nobody else's business: programs get this environment.
delete process.env[cleaningVariable];
// Garbage is collected when the heap has grown by so much; V8 lets it double and more. It costs the other processor some time.
setFlagsFromString('--heap-growing-percent=30');
if (spec.tier === 'full') prepareSandbox();
if (isCleaning) {
  const { cleanHost } = await import('./clean-host.ts');
  await cleanHost(spec);
  if (spec.lifeline) removeOwnFolder(spec, specFile);
} else {
  await supervise(spec);
}
