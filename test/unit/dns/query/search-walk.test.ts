import { describe, expect, it } from 'vitest';
import {
  ndotsOf,
  type Outcome,
  type ResolverLibrary,
  searchCandidates,
  walksOn,
} from '../../../../src/dns/query/search-walk.ts';
import type { ResolvConf } from '../../../../src/kube/resolv-conf.ts';
import { readDnsVectors } from '../../../helpers/dns-vectors.ts';

interface SearchVector {
  readonly id: string;
  readonly resolvConf: ResolvConf;
  readonly name: string;
  readonly queries: readonly { readonly qname: string; readonly outcome: Outcome }[];
}

const conf = (more: Partial<ResolvConf> = {}): ResolvConf => ({
  ...{ nameservers: ['10.96.0.10'], search: ['a.test', 'b.test'], options: ['ndots:2'] },
  ...more,
});

describe('search walk', () => {
  it.each(readDnsVectors<SearchVector>('search').map((vector) => [vector.id, vector] as const))('%s', (_id, vector) => {
    const outcomes = new Map(vector.queries.map(({ qname, outcome }) => [qname, outcome]));
    const walked: string[] = [];
    for (const candidate of searchCandidates(vector.name, vector.resolvConf)) {
      walked.push(candidate);
      if (!walksOn(outcomes.get(candidate) ?? 'NXDOMAIN')) break;
    }
    expect(walked).toEqual([...outcomes.keys()]);
  });

  it.each<[string, ResolverLibrary, readonly string[]]>([
    ['web', 'glibc', ['web.a.test.', 'web.b.test.', 'web.']],
    ['web.shop', 'musl', ['web.shop.a.test.', 'web.shop.b.test.', 'web.shop.']],
    ['a.b.c', 'glibc', ['a.b.c.', 'a.b.c.a.test.', 'a.b.c.b.test.']],
    ['a.b.c', 'musl', ['a.b.c.']],
    ['web.', 'glibc', ['web.']],
  ])('tries for %s with %s %j', (name, library, expected) => {
    expect(searchCandidates(name, conf(), library)).toEqual(expected);
  });

  it('asks a name once, though the root is a search path', () => {
    expect(searchCandidates('web', conf({ search: ['.', 'a.test'] }))).toEqual(['web.', 'web.a.test.']);
  });

  it('ends at other outcomes in each library', () => {
    const goesOn = (library: ResolverLibrary): readonly Outcome[] =>
      (['ANSWER', 'NODATA', 'NXDOMAIN', 'SERVFAIL', 'REFUSED', 'TIMEOUT'] as const).filter((o) => walksOn(o, library));
    expect(goesOn('glibc')).toEqual(['NODATA', 'NXDOMAIN', 'SERVFAIL']);
    expect(goesOn('musl')).toEqual(['NXDOMAIN']);
  });

  it.each([
    [[], 1],
    [['ndots:3', 'ndots:5'], 5],
    [['ndots:99'], 15],
    [['rotate', 'ndots:x'], 1],
  ])('reads options %j as ndots %i', (options, ndots) => {
    expect(ndotsOf(conf({ options }))).toBe(ndots);
  });
});
