/** What one probe found out about this machine. */
export interface Finding {
  readonly name: string;
  readonly ok: boolean;
  /** Without it no cluster starts; others cost only what `costs` says. */
  readonly required: boolean;
  /** What was found: a version, a number, or the reason of the failure. */
  readonly detail: string;
  /** What does not work without it. */
  readonly costs: string;
  /** What would bring it: a package, a kernel option, a setting. */
  readonly remedy: string;
}

/** A question to the machine. */
export interface Probe {
  readonly name: string;
  readonly required: boolean;
  readonly costs: string;
  readonly remedy: string;
  /** Resolves with the detail if the machine has it; throws the reason if not. */
  run(): string | Promise<string>;
}

/** Asks all questions one after the other; a probe that throws makes a finding, never an error. */
export async function runProbes(probes: readonly Probe[]): Promise<Finding[]> {
  const findings: Finding[] = [];
  for (const { run, ...probe } of probes) findings.push({ ...probe, ...(await answerOf(run)) });
  return findings;
}

async function answerOf(run: Probe['run']): Promise<Pick<Finding, 'ok' | 'detail'>> {
  try {
    return { ok: true, detail: await run() };
  } catch (error) {
    return { ok: false, detail: error instanceof Error ? error.message : String(error) };
  }
}
