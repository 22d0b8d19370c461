import type { PodTemplateSpec } from '../../kube/generated/types.ts';

const ALPHABET = 'bcdfghjklmnpqrstvwxz2456789';

/** The pod-template-hash: letters that spell no word, the same for equal templates; `collisions` makes it another one. */
export function hashTemplate(template: PodTemplateSpec, collisions: number | undefined): string {
  const hash = fnv1a(`${stableText(template)}${collisions ?? ''}`);
  return [...String(hash)].map((digit) => ALPHABET[digit.charCodeAt(0) % ALPHABET.length]).join('');
}

/** JSON with sorted keys and without absent fields. */
export function stableText(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(stableText).join(',')}]`;
  if (typeof value !== 'object' || value === null) return JSON.stringify(value) ?? 'null';
  const entries = Object.entries(value)
    .filter(([, field]) => field !== undefined)
    .sort(([a], [b]) => (a < b ? -1 : 1));
  return `{${entries.map(([key, field]) => `${JSON.stringify(key)}:${stableText(field)}`).join(',')}}`;
}

/** 32 bits of FNV-1a over UTF-16 units. */
export function fnv1a(text: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  return hash >>> 0;
}
