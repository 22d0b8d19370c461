/** The search paths of a resolver file: the last `search` or `domain` line counts. */
export function searchPathsOf(resolvConf: string): readonly string[] {
  let paths: readonly string[] = [];
  for (const line of resolvConf.split('\n')) {
    const [word, ...rest] = line.trim().split(/\s+/);
    if (word === 'search') paths = rest;
    else if (word === 'domain') paths = rest.slice(0, 1);
  }
  return paths;
}
