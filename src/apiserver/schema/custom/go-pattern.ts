const patterns = new Map<string, RegExp | undefined>();

/** Go's regular expressions as ours; undefined for what cannot be translated and is not checked then, as a warning says. */
export function patternOf(pattern: string): RegExp | undefined {
  if (!patterns.has(pattern)) patterns.set(pattern, compilePattern(pattern));
  return patterns.get(pattern);
}

function compilePattern(pattern: string): RegExp | undefined {
  const flags = /^\(\?([ims]+)\)/.exec(pattern);
  const source = (flags ? pattern.slice(flags[0].length) : pattern)
    .replaceAll('\\z', '$')
    .replaceAll('\\A', '^')
    .replace(/\(\?P</g, '(?<')
    .replace(/\\Q(.*?)(?:\\E|$)/g, (_all, text: string) => text.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&'))
    .replace(/\[:(\^?)([a-z]+):\]/g, (all, not: string, name: string) => (not ? all : (classes[name] ?? all)));
  if (/\[:\^?[a-z]+:\]/.test(source)) return undefined;
  // Names of Unicode classes are only known in this mode, which does not know all escapes of the other.
  const unicode = /\\[pP]/.test(source) ? 'u' : '';
  try {
    return new RegExp(source.replace(/\\([pP])([LMNPSZC])/g, '\\$1{$2}'), `${flags?.[1] ?? ''}${unicode}`);
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

const classes: Readonly<Record<string, string>> = {
  alnum: 'A-Za-z0-9',
  alpha: 'A-Za-z',
  ascii: '\\x00-\\x7F',
  blank: '\\t ',
  cntrl: '\\x00-\\x1F\\x7F',
  digit: '0-9',
  graph: '!-~',
  lower: 'a-z',
  print: ' -~',
  punct: '!-\\/:-@\\[-`{-~',
  space: '\\t\\n\\v\\f\\r ',
  upper: 'A-Z',
  word: 'A-Za-z0-9_',
  xdigit: 'A-Fa-f0-9',
};
