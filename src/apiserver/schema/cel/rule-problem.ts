/** A mistake in the source of a rule, with the place where it stands. */
export class SourceProblem extends Error {
  override readonly name = 'SourceProblem';

  constructor(source: string, at: number, text: string) {
    super(describe(source, at, text));
  }
}

// The lines that real compilers print: the text, the line that it is about, and a mark below the place.
function describe(source: string, at: number, text: string): string {
  const before = source.slice(0, at);
  const line = before.split('\n').length;
  const start = before.lastIndexOf('\n') + 1;
  const column = [...source.slice(start, at)].length;
  const shown = source.slice(start).split('\n', 1)[0] ?? '';
  return `ERROR: <input>:${line}:${column + 1}: ${text}\n | ${shown}\n | ${'.'.repeat(column)}^`;
}
