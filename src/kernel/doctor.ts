import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { TowtankError } from '../errors/towtank-error.ts';
import { type Finding, runProbes } from './doctor/finding.ts';
import { machineProbes } from './doctor/machine-probes.ts';
import { programProbes } from './doctor/program-probes.ts';
import { launchSandbox } from './sandbox.ts';

export type { Finding } from './doctor/finding.ts';
export { hasProgram, requirePrograms } from './doctor/required-programs.ts';

const insideFile = import.meta.url.endsWith('.ts') ? './doctor/inside.ts' : './inside.js';

/**
 * Examines this machine: programs, limits, whether a sandbox can be had, and, in one that exists for a second, what the kernel
 * can do. Changes nothing of the host, and never rejects for what it finds.
 */
export async function examineMachine(): Promise<readonly Finding[]> {
  return [...(await runProbes([...machineProbes, ...programProbes])), ...(await examineKernel())];
}

async function examineKernel(): Promise<Finding[]> {
  const folder = mkdtempSync(join(tmpdir(), 'towtank-doctor-'));
  const about = { name: 'sandbox', required: true, costs: 'no cluster starts' } as const;
  const how = process.geteuid?.() === 0 ? 'as root' : `as user ${process.geteuid?.()}, through a user namespace`;
  try {
    const findings = await probeInSandbox(folder);
    return [{ ...about, ok: true, detail: how, remedy: '' }, ...findings];
  } catch (error) {
    if (!(error instanceof TowtankError)) throw error;
    return [{ ...about, ok: false, detail: error.message, remedy: error.hint ?? '' }];
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

async function probeInSandbox(folder: string): Promise<Finding[]> {
  const [findings, logFile] = [join(folder, 'findings.json'), join(folder, 'log')];
  const entry = new URL(insideFile, import.meta.url).pathname;
  const sandbox = await launchSandbox({ entry, args: [findings], stateDir: folder, listenFds: [], logFile });
  const { exitCode } = await sandbox.waitForEnd();
  if (exitCode === 0) return JSON.parse(readFileSync(findings, 'utf8')) as Finding[];
  throw new TowtankError({
    code: 'ERR_CLUSTER_START',
    message: `the examination ended early: ${readFileSync(logFile, 'utf8').trim()}`,
    hint: 'this is a bug of towtank if the message does not say what to do',
  });
}
