import { TowtankError } from '../../errors/towtank-error.ts';

interface Token {
  readonly text: string;
  readonly quoted: boolean;
}

// A string, a brace, a line end or semicolon, a comma before white space, or a word.
const tokenPattern = /"([^"]*)"|[{}]|[;\n]|,(?=\s)|[^\s{};",]+(?:,[^\s{};",]+)*/g;

/** Reads the text that nft prints word by word. A quoted string is one word. */
export class TokenCursor {
  readonly #tokens: readonly Token[];
  #at = 0;

  constructor(text: string) {
    this.#tokens = Array.from(text.matchAll(tokenPattern), ([token, string]) => ({
      text: string ?? token,
      quoted: string !== undefined,
    }));
  }

  get isAtEnd(): boolean {
    return this.#at >= this.#tokens.length;
  }

  /** True when the next word, or the one `ahead` of it, is this one (and no quoted string). */
  is(text: string, ahead = 0): boolean {
    const token = this.#tokens[this.#at + ahead];
    return token !== undefined && !token.quoted && token.text === text;
  }

  /** The next word without taking it; '' at the end. */
  peek(ahead = 0): string {
    return this.#tokens[this.#at + ahead]?.text ?? '';
  }

  /** Takes the next word. Throws ERR_PARSE_RULES at the end. */
  next(): string {
    const token = this.#tokens[this.#at];
    if (token === undefined) throw this.error('more text');
    this.#at++;
    return token.text;
  }

  /** Takes the words when they come next, all or none. */
  take(...words: readonly string[]): boolean {
    if (!words.every((word, index) => this.is(word, index))) return false;
    this.#at += words.length;
    return true;
  }

  /** Takes this word. Throws ERR_PARSE_RULES when another comes. */
  expect(word: string): void {
    if (!this.take(word)) throw this.error(`'${word}'`);
  }

  /** Passes over line ends and semicolons. */
  skipSeparators(): void {
    while (this.is('\n') || this.is(';')) this.#at++;
  }

  /** Passes over separators and takes the brace that ends a block, if it comes next. Throws ERR_PARSE_RULES at the end. */
  takeBlockEnd(): boolean {
    this.skipSeparators();
    if (this.isAtEnd) throw this.error("'}'");
    return this.take('}');
  }

  /** True when a statement ends here. */
  get isAtSeparator(): boolean {
    return this.isAtEnd || this.is('\n') || this.is(';') || this.is('}');
  }

  /** Takes the rest of the line as text, with blocks in braces (which may span lines); quotes are put back. */
  takeLine(): string {
    const words: string[] = [];
    let depth = 0;
    while (!this.isAtEnd && (depth > 0 || !this.isAtSeparator)) {
      const token = this.#tokens[this.#at++];
      if (token === undefined) break;
      if (!token.quoted && token.text === '{') depth++;
      if (!token.quoted && token.text === '}') depth--;
      if (token.text !== '\n') words.push(token.quoted ? `"${token.text}"` : token.text);
    }
    return words.join(' ');
  }

  /** What to throw when something else was expected here. */
  error(expected: string): TowtankError {
    const around = this.#tokens.slice(Math.max(0, this.#at - 5), this.#at + 5).map(({ text }) => text);
    return new TowtankError({
      code: 'ERR_PARSE_RULES',
      message: `nft rules: expected ${expected}, found '${this.peek() || 'the end'}' in '${around.join(' ')}'`,
    });
  }

  /** Remembers this place; calling the result comes back to it. */
  mark(): () => void {
    const at = this.#at;
    return () => {
      this.#at = at;
    };
  }
}
