import { examineMachine, type Finding } from '../../cluster/examine-machine.ts';
import { printAs } from '../print/output.ts';
import type { Output } from '../print/output-forms.ts';
import { styled } from '../print/style.ts';

/** Shows what this machine has and lacks; exit code 1 when something is missing without which no cluster starts. */
export async function doctor({ output }: { readonly output: Output }): Promise<number> {
  const findings = await examineMachine();
  process.stdout.write(`${printAs(output, findings, () => table(findings))}\n`);
  return findings.some(({ ok, required }) => required && !ok) ? 1 : 0;
}

const TIER = 'tier ';

function table(all: readonly Finding[]): string {
  const tiers = all.filter(({ name }) => name.startsWith(TIER));
  return [...tiers.flatMap(tierLines), '', ...findingLines(all.filter(({ name }) => !name.startsWith(TIER)))].join(
    '\n',
  );
}

// Only the best tier counts: what is lacking for those above it is told with what that costs.
function tierLines(finding: Finding, index: number, tiers: readonly Finding[]): readonly string[] {
  const { name, ok, detail, costs, remedy } = finding;
  const best = tiers.findIndex((tier) => tier.ok);
  const head = `${mark(finding)} ${name.padEnd(13)}  ${detail}`;
  if (ok || (best !== -1 && index > best)) return [head];
  return [head, `  ${' '.repeat(13)}  costs: ${costs}`, `  ${' '.repeat(13)}  needs: ${remedy}`];
}

function findingLines(findings: readonly Finding[]): readonly string[] {
  const width = Math.max(...findings.map(({ name }) => name.length));
  const lines = findings.flatMap((finding) => [
    `${mark(finding)} ${finding.name.padEnd(width)}  ${finding.detail}`,
    ...(finding.ok
      ? []
      : [`  ${' '.repeat(width)}  costs: ${finding.costs}`, `  ${' '.repeat(width)}  mend:  ${finding.remedy}`]),
  ]);
  const lacking = findings.filter(({ ok, required }) => required && !ok).length;
  const verdict =
    lacking === 0
      ? 'clusters can run here'
      : `clusters cannot run here: ${lacking} required ${lacking === 1 ? 'thing is' : 'things are'} missing`;
  return [...lines, '', verdict];
}

function mark({ ok, required }: Finding): string {
  if (ok) return styled('green', '✓');
  return required ? styled('red', '✗') : styled('yellow', '–');
}
