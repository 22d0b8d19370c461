import { enableCompileCache } from 'node:module';

// Keeps compiled code between runs; the launcher names the folder, without it Node keeps none.
if (process.env['NODE_COMPILE_CACHE']) enableCompileCache();
// Whoever reads our output may stop early (| head); that is no failure.
process.stdout.on('error', (error: NodeJS.ErrnoException) => process.exit(error.code === 'EPIPE' ? 0 : 70));
const { runCommandLine } = await import('./run-command-line.ts');
process.exitCode = await runCommandLine(process.argv.slice(2));
