/** One word of a Corefile, quotes removed. */
export interface Token {
  readonly text: string;
  readonly file: string;
  /** From 1; of the first character. */
  readonly line: number;
  /** A quoted `{` is a word, not a brace. */
  readonly quoted: boolean;
}

/**
 * Splits a Corefile into words as CoreDNS's lexer does: white space separates, `"` quotes (only `\"` is an escape), `#`
 * begins a comment wherever it stands outside quotes.
 */
export function readTokens(text: string, file: string): Token[] {
  const tokens: Token[] = [];
  let line = 1;
  let at = 0;
  while (at < text.length) {
    const char = text[at]!;
    if (char === '#') at = endOfLine(text, at);
    else if (/\s|\uFEFF/.test(char)) {
      if (char === '\n') line++;
      at++;
    } else if (char === '"') {
      const { value, end } = readQuoted(text, at + 1);
      tokens.push({ text: value, file, line, quoted: true });
      line += text.slice(at, end).split('\n').length - 1;
      at = end;
    } else {
      const end = endOfWord(text, at);
      tokens.push({ text: text.slice(at, end).replaceAll('\r', ''), file, line, quoted: false });
      at = end;
    }
  }
  return tokens;
}

function endOfLine(text: string, at: number): number {
  const end = text.indexOf('\n', at);
  return end === -1 ? text.length : end;
}

function endOfWord(text: string, start: number): number {
  let at = start;
  while (at < text.length && text[at] !== '#' && !/\s/.test(text[at]!)) at++;
  return at;
}

function readQuoted(text: string, start: number): { readonly value: string; readonly end: number } {
  let value = '';
  for (let at = start; at < text.length; at++) {
    if (text[at] === '"') return { value, end: at + 1 };
    if (text[at] === '\\' && text[at + 1] === '"') at++;
    value += text[at];
  }
  return { value, end: text.length };
}
