import { readFileSync } from 'node:fs';
import type { KindSchema } from '../../src/apiserver/schema/contract.ts';
import { SchemaCatalog } from '../../src/apiserver/schema/schema-catalog.ts';

/** Group, version and kind as the fixtures have them. */
export type FixtureKind = readonly [group: string, version: string, kind: string];

/** Reads a fixture of test/unit/apiserver/fixtures. */
export function readFixture<T>(name: string): T {
  return JSON.parse(readFileSync(new URL(`../unit/apiserver/fixtures/${name}`, import.meta.url), 'utf8')) as T;
}

/** The published schemas. */
export const catalog = new SchemaCatalog();

/** The schema of a published kind. */
export function schemaOf([group, version, kind]: FixtureKind): KindSchema {
  return catalog.kind({ group, version, kind })!;
}

/**
 * What the real server answers, with [] and {} for null where `ours` has these: it prints null for lists and maps that are
 * absent, and we print empty ones (a deviation on purpose).
 */
export function withEmptyForNull(theirs: unknown, ours: unknown): unknown {
  if (theirs === null) return isEmpty(ours) ? ours : theirs;
  if (Array.isArray(theirs))
    return theirs.map((item: unknown, index) => withEmptyForNull(item, Array.isArray(ours) ? ours[index] : undefined));
  if (typeof theirs !== 'object') return theirs;
  const mine = (typeof ours === 'object' ? ours : {}) as Record<string, unknown>;
  return Object.fromEntries(
    Object.entries(theirs as object).map(([key, value]) => [key, withEmptyForNull(value, mine[key])]),
  );
}

function isEmpty(value: unknown): boolean {
  return typeof value === 'object' && value !== null && Object.keys(value).length === 0;
}

/** What is left of a value after a trip through JSON. */
export function asJson(value: unknown): unknown {
  return JSON.parse(JSON.stringify(value));
}
