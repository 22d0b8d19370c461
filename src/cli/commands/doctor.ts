import { examineMachine, type Finding } from '../../cluster/examine-machine.ts';
import { type Output, printAs } from '../print/output.ts';
import { styled } from '../print/style.ts';

/** Shows what this machine has and lacks; exit code 1 when something is missing without which no cluster starts. */
export async function doctor({ output }: { readonly output: Output }): Promise<number> {
  const findings = await examineMachine();
  process.stdout.write(`${printAs(output, findings, () => table(findings))}\n`);
  return findings.some(({ ok, required }) => required && !ok) ? 1 : 0;
}

function table(findings: readonly Finding[]): string {
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
  return [...lines, '', verdict].join('\n');
}

function mark({ ok, required }: Finding): string {
  if (ok) return styled('green', '✓');
  return required ? styled('red', '✗') : styled('yellow', '–');
}
