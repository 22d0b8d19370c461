import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { TowtankError } from '../errors/towtank-error.ts';
import { type Finding, runProbes } from './doctor/finding.ts';
import { machineProbes } from './doctor/machine-probes.ts';
import { programProbes } from './doctor/program-probes.ts';
import { launchSandbox } from './sandbox.ts';
import { examineTiers, type Tier, type TierFinding } from './tier.ts';

export type { Finding } from './doctor/finding.ts';
export { hasProgram, requirePrograms } from './doctor/required-programs.ts';

const insideFile = import.meta.url.endsWith('.ts') ? './doctor/inside.ts' : './inside.js';

/**
 * Examines this machine: tiers, programs, limits, whether a sandbox can be had, and, in one that exists for a second, what the kernel
 * can do. Changes nothing of the host, and never rejects for what it finds.
 */
export async function examineMachine(): Promise<readonly Finding[]> {
  const tiers = await examineTiers();
  // Without a sandbox there are still the tiers below.
  const required = tiers.every(({ tier, ok }) => tier === 'full' || !ok);
  const found = await runProbes([...machineProbes, ...programProbes]);
  const best = tiers.find(({ ok }) => ok)?.tier;
  return [...tiers.map(tierFinding), ...found.map((one) => inTier(one, best)), ...(await examineKernel(required))];
}

const neededAlways = ['kernel', 'koffi'];

// What only the tiers above have a use for is no lack of the one that can be had.
function inTier(finding: Finding, best: Tier | undefined): Finding {
  const isNeeded = best === 'loopback' ? neededAlways.includes(finding.name) : finding.name !== 'user namespaces';
  return best === undefined || best === 'full' || isNeeded ? finding : { ...finding, required: false };
}

function tierFinding({ tier, ok, detail, needs, withoutIt }: TierFinding): Finding {
  return { name: `tier ${tier}`, ok, required: false, detail, costs: withoutIt, remedy: `docker run ${needs}` };
}

async function examineKernel(required: boolean): Promise<Finding[]> {
  const folder = mkdtempSync(join(tmpdir(), 'towtank-doctor-'));
  const about = {
    name: 'sandbox',
    required,
    costs: required ? 'no cluster starts' : 'no namespaces, so none of the full tier',
  } as const;
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
