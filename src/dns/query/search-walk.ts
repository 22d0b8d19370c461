import type { ResolvConf } from '../../kube/resolv-conf.ts';
import { absoluteName, splitLabels } from '../wire/name.ts';

/** Which C library walks: they differ in when they search and when they give up. */
export type ResolverLibrary = 'glibc' | 'musl';

/** How one question ended, as far as a resolver cares. */
export type Outcome = 'ANSWER' | 'NODATA' | 'NXDOMAIN' | 'SERVFAIL' | 'REFUSED' | 'TIMEOUT' | 'ERROR';

/**
 * The absolute names that a resolver tries for a name, in order. With fewer dots than `ndots` the search paths come first,
 * else the name itself; musl then does not search at all. A final dot means this name and no other.
 */
export function searchCandidates(
  name: string,
  conf: ResolvConf,
  library: ResolverLibrary = 'glibc',
): readonly string[] {
  const bare = absoluteName(name);
  if (name.endsWith('.')) return [name];
  const searched = conf.search.map((path) => (path === '.' ? bare : `${bare}${absoluteName(path)}`));
  const enoughDots = splitLabels(name).length - 1 >= ndotsOf(conf);
  if (enoughDots) return library === 'musl' ? [bare] : [bare, ...searched];
  return searched.includes(bare) ? searched : [...searched, bare];
}

/** True when the walk goes on to the next candidate after this outcome. */
export function walksOn(outcome: Outcome, library: ResolverLibrary = 'glibc'): boolean {
  if (outcome === 'NXDOMAIN') return true;
  return library === 'glibc' && (outcome === 'NODATA' || outcome === 'SERVFAIL');
}

/** `options ndots:n`; 1 without it, 15 at most. */
export function ndotsOf({ options }: ResolvConf): number {
  const option = options.findLast((text) => /^ndots:\d+$/.test(text));
  return option === undefined ? 1 : Math.min(15, Number(option.slice('ndots:'.length)));
}
