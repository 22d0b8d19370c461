import { readFileSync } from 'node:fs';

/** The lines of one file of test/conformance/dns/vectors; their README says where they come from. */
export function readDnsVectors<T>(name: string): readonly T[] {
  const text = readFileSync(new URL(`../conformance/dns/vectors/${name}.ndjson`, import.meta.url), 'utf8');
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as T);
}
