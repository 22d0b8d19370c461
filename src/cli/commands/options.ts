import { InvalidArgumentError, Option } from 'commander';
import type { Target } from '../../cluster/control/protocol.ts';
import { UserError } from '../../errors/towtank-error.ts';
import { OUTPUTS } from '../print/output-forms.ts';

/** `--name NAME`: which cluster. */
export const nameOption = (): Option =>
  new Option('--name <name>', 'name of the cluster').default('towtank').env('TOWTANK_CLUSTER');

/** `-o table|json|yaml`. */
export const outputOption = (): Option =>
  new Option('-o, --output <format>', 'how to print').choices([...OUTPUTS]).default('table');

/** Reads a whole number for commander. */
export function wholeNumber(text: string): number {
  if (!/^\d{1,9}$/.test(text)) throw new InvalidArgumentError('it must be a whole number.');
  return Number(text);
}

/** `client`, `node/NAME`, `pod/NAME`, `NAMESPACE/NAME` or a bare name, which is a node when one is called so, else a pod of `namespace`. */
export function parseTarget(word: string, namespace: string, nodeNames: readonly string[]): Target {
  const parts = word.split('/');
  const [first = '', second] = parts;
  if (parts.length > 2 || parts.includes('')) {
    throw new UserError({
      code: 'ERR_USAGE',
      message: `"${word}" names no place`,
      hint: 'say client, a node, a pod, or namespace/pod',
    });
  }
  if (second === undefined) {
    if (first === 'client') return { kind: 'client' };
    return nodeNames.includes(first) ? { kind: 'node', name: first } : { kind: 'pod', namespace, name: first };
  }
  if (first === 'node') return { kind: 'node', name: second };
  return { kind: 'pod', namespace: first === 'pod' ? namespace : first, name: second };
}

const TIERS = ['full', 'flat', 'loopback'] as const;

/** `--tier TIER`: how much of the network may be made. */
export const tierOption = (): Option =>
  new Option('--tier <tier>', 'what the cluster is made of (default: the best that can be had, see doctor)').choices([
    ...TIERS,
  ]);
