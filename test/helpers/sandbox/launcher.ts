// Launches test/helpers/sandbox/supervisor.ts, or another entry, in a sandbox, prints its pids and port as JSON, and ends; or prints the error.
import { createServer } from 'node:net';
import { launchSandbox } from '../../../src/kernel/sandbox.ts';

const supervisor = new URL('./supervisor.ts', import.meta.url).pathname;
const [stateDir = '', name = '', entry = supervisor] = process.argv.slice(2);
const listener = createServer();
await new Promise<void>((resolve) => listener.listen(0, '127.0.0.1', resolve));
const address = listener.address();
const { fd } = (listener as unknown as { readonly _handle: { readonly fd: number } })._handle;
try {
  const { outerPid, innerPid, innerStartTime } = await launchSandbox({
    entry,
    args: [name, 'two words', stateDir],
    stateDir,
    listenFds: [fd],
    logFile: `${stateDir}/log`,
  });
  const port = typeof address === 'object' ? address?.port : undefined;
  process.stdout.write(JSON.stringify({ outerPid, innerPid, innerStartTime, port }));
} catch (error) {
  const { code, message, hint } = error as { code?: string; message?: string; hint?: string };
  process.stdout.write(JSON.stringify({ error: { code, message, hint } }));
}
listener.close();
