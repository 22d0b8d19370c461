import type { FunctionTable } from '../function-table.ts';
import { type CelObject, EvaluationError, type Value } from '../values.ts';

/** A version as semver.org has it. */
class Semver implements CelObject {
  readonly typeName = 'kubernetes.Semver';
  readonly core: readonly [bigint, bigint, bigint];
  readonly prerelease: readonly string[];

  constructor(core: readonly [bigint, bigint, bigint], prerelease: readonly string[]) {
    this.core = core;
    this.prerelease = prerelease;
  }

  equals(other: Value): boolean {
    return other instanceof Semver && this.compareTo(other) === 0;
  }

  compareTo(other: Semver): number {
    for (const [index, number] of this.core.entries()) {
      const theirs = other.core[index]!;
      if (number !== theirs) return number > theirs ? 1 : -1;
    }
    // A version before a release is less than the release.
    if (this.prerelease.length === 0 || other.prerelease.length === 0)
      return Math.sign(other.prerelease.length - this.prerelease.length);
    return comparePrereleases(this.prerelease, other.prerelease);
  }
}

const SELF = 'kubernetes.Semver';
const PATTERN =
  /^(0|[1-9][0-9]*)\.(0|[1-9][0-9]*)\.(0|[1-9][0-9]*)(?:-((?:0|[1-9][0-9]*|[0-9]*[A-Za-z-][0-9A-Za-z-]*)(?:\.(?:0|[1-9][0-9]*|[0-9]*[A-Za-z-][0-9A-Za-z-]*))*))?(?:\+[0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*)?$/;

/** Semantic versions. */
export const versions: FunctionTable = {
  'semver(string)': (text: string) => parse(text, false),
  'semver(string, bool)': parse,
  'isSemver(string)': (text: string) => find(text, false) !== undefined,
  'isSemver(string, bool)': (text: string, normalize: boolean) => find(text, normalize) !== undefined,
  [`<${SELF}>.major()`]: ({ core }: Semver) => core[0],
  [`<${SELF}>.minor()`]: ({ core }: Semver) => core[1],
  [`<${SELF}>.patch()`]: ({ core }: Semver) => core[2],
  [`<${SELF}>.isGreaterThan(${SELF})`]: (a: Semver, b: Semver) => a.compareTo(b) > 0,
  [`<${SELF}>.isLessThan(${SELF})`]: (a: Semver, b: Semver) => a.compareTo(b) < 0,
  [`<${SELF}>.compareTo(${SELF})`]: (a: Semver, b: Semver) => BigInt(a.compareTo(b)),
};

function parse(text: string, normalize: boolean): Value {
  const found = find(text, normalize);
  if (!found) throw new EvaluationError(`invalid semantic version ${JSON.stringify(text)}`);
  return found;
}

function find(text: string, normalize: boolean): Semver | undefined {
  const match = PATTERN.exec(normalize ? normalized(text) : text);
  if (!match) return undefined;
  const [, major = '0', minor = '0', patch = '0', prerelease] = match;
  return new Semver([BigInt(major), BigInt(minor), BigInt(patch)], prerelease?.split('.') ?? []);
}

// v1.2 becomes 1.2.0, and 01 becomes 1.
function normalized(text: string): string {
  const [major = '', minor, ...rest] = text.replace(/^v/, '').split('.');
  const parts = [major, ...(minor === undefined ? [] : [minor]), ...(rest.length === 0 ? [] : [rest.join('.')])];
  const trimmed = parts.map((part) => part.replace(/^0+(?=[0-9])/, ''));
  if (trimmed.length < 3 && /[+-]/.test(trimmed.at(-1)!)) return text;
  return [...trimmed, '0', '0'].slice(0, 3).join('.');
}

function comparePrereleases(a: readonly string[], b: readonly string[]): number {
  for (const [index, mine] of a.entries()) {
    const theirs = b[index];
    if (theirs === undefined) return 1;
    if (mine === theirs) continue;
    const numeric = [mine, theirs].map((part) => /^[0-9]+$/.test(part));
    if (numeric[0] && numeric[1]) return BigInt(mine) > BigInt(theirs) ? 1 : -1;
    // Numbers come before words.
    if (numeric[0] !== numeric[1]) return numeric[0] ? -1 : 1;
    return mine > theirs ? 1 : -1;
  }
  return a.length < b.length ? -1 : 0;
}
