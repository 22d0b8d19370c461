import { configError } from '../corefile/config-error.ts';
import { readRegExp } from '../corefile/read-options.ts';
import type { Token } from '../corefile/tokens.ts';
import { absoluteName } from '../wire/name.ts';

export const matchKinds = ['exact', 'prefix', 'suffix', 'substring', 'regex'] as const;
export type MatchKind = (typeof matchKinds)[number];

/** The kind that a word names in any case, or undefined. */
export function matchKindOf(token: Token | undefined): MatchKind | undefined {
  return matchKinds.find((kind) => kind === token?.text.toLowerCase());
}

/** Lower case with the final dot, as CoreDNS treats the patterns of all kinds but regex. */
export function normalizeName(text: string): string {
  return absoluteName(text).toLowerCase();
}

/** True for names (lower case) that the pattern matches. */
export function nameMatcher(kind: MatchKind, token: Token): (name: string) => boolean {
  const from = normalizeName(token.text);
  switch (kind) {
    case 'exact':
      return (name) => name === from;
    case 'prefix':
      return (name) => name.startsWith(from);
    case 'suffix':
      return (name) => name.endsWith(from);
    case 'substring':
      return (name) => name.includes(from);
    case 'regex': {
      const expression = readRegExp(token);
      return (name) => expression.test(name);
    }
  }
}

/** What a matching name becomes; undefined for one that does not match. */
export function nameReplacer(kind: MatchKind, fromToken: Token, to: string): (name: string) => string | undefined {
  const from = normalizeName(fromToken.text);
  switch (kind) {
    case 'exact':
      return (name) => (name === from ? to : undefined);
    case 'prefix':
      return (name) => (name.startsWith(from) ? to + name.slice(from.length) : undefined);
    case 'suffix':
      return (name) => (name.endsWith(from) ? name.slice(0, name.length - from.length) + to : undefined);
    case 'substring':
      return (name) => (name.includes(from) ? name.replaceAll(from, () => to) : undefined);
    case 'regex':
      return regexReplacer(fromToken, to);
  }
}

/** Puts the groups of a match into `{0}`, `{1}` ...; undefined for a name that does not match. */
export function regexReplacer(pattern: Token, to: string): (name: string) => string | undefined {
  const expression = readRegExp(pattern);
  const groups = new RegExp(`${expression.source}|`).exec('')!.length - 1;
  const used = new Set([...to.matchAll(/\{(\d{1,3})\}/g)].map(([, group]) => group));
  if (used.size > groups) {
    throw configError(pattern, `the replacement ${to} uses more groups than ${pattern.text} has`);
  }
  return (name) => {
    const match = expression.exec(name);
    return match === null ? undefined : to.replace(/\{(\d{1,3})\}/g, (word, group) => match[Number(group)] ?? word);
  };
}
