import type { Random } from '../../kube/clock.ts';

const ALPHABET = 'bcdfghjklmnpqrstvwxz2456789';
const MAX_BASE = 58;

/** The prefix, cut to fit 63 characters, and five random characters that spell no words. */
export function generateName(prefix: string, random: Random): string {
  let suffix = '';
  for (let i = 0; i < 5; i++) suffix += ALPHABET[Math.floor(random() * ALPHABET.length)];
  return prefix.slice(0, MAX_BASE) + suffix;
}
