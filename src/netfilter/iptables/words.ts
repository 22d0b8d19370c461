/** Splits a line of iptables text into words: blanks separate, double quotes group, a backslash inside them escapes. */
export function splitWords(line: string): string[] {
  const words: string[] = [];
  const pattern = /"((?:[^"\\]|\\.)*)"|(\S+)/g;
  for (const [, quoted, plain] of line.matchAll(pattern)) {
    words.push(quoted === undefined ? (plain ?? '') : quoted.replace(/\\(.)/g, '$1'));
  }
  return words;
}

/** Reads words one after the other. */
export interface WordReader {
  done(): boolean;
  peek(): string | undefined;
  /** The next word; '' at the end. */
  next(): string;
  /** Consumes the next word if it is this one. */
  take(word: string): boolean;
  /** Consumes the words up to the next option that starts a match or a target. */
  rest(): string[];
}

const STARTS = new Set(['-m', '--match', '-j', '--jump', '-g', '--goto', '!']);

/** A reader over these words. */
export function wordReader(words: readonly string[]): WordReader {
  let index = 0;
  return {
    done: () => index >= words.length,
    peek: () => words[index],
    next: () => words[index++] ?? '',
    take: (word) => {
      const found = words[index] === word;
      if (found) index++;
      return found;
    },
    rest: () => {
      const start = index;
      while (index < words.length && !STARTS.has(words[index] ?? '')) index++;
      return words.slice(start, index);
    },
  };
}
