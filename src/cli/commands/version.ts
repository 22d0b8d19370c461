import { KUBERNETES_VERSION, towtankVersion } from '../../cluster/version.ts';
import { printAs } from '../print/output.ts';
import type { Output } from '../print/output-forms.ts';

/** Prints towtank's version, the Kubernetes level of its API and the Node that runs it. */
export function version({ output }: { readonly output: Output }): void {
  const facts = { towtank: towtankVersion(), kubernetes: KUBERNETES_VERSION, node: process.version };
  process.stdout.write(
    `${printAs(output, facts, () => `towtank ${facts.towtank} (Kubernetes API ${facts.kubernetes}, Node ${facts.node})`)}\n`,
  );
}
