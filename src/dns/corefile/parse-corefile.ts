import { absoluteName } from '../wire/name.ts';
import { configError } from './config-error.ts';
import { normalizeZones } from './normalize-zone.ts';
import { readTokens, type Token } from './tokens.ts';

/** One line inside a plugin's braces. */
export interface OptionLine {
  readonly name: Token;
  readonly args: readonly Token[];
}

/** A plugin as it stands in a server block; a plugin named twice has two. */
export interface Directive {
  readonly name: Token;
  readonly args: readonly Token[];
  readonly options: readonly OptionLine[];
}

export interface ServerKey {
  /** Absolute, lower case. */
  readonly zone: string;
  readonly port: number;
}

export interface ServerBlock {
  readonly keys: readonly ServerKey[];
  readonly directives: readonly Directive[];
  /** Where the block begins. */
  readonly at: Token;
}

export interface CorefileInput {
  readonly text: string;
  /** Name used in errors; default `Corefile`. */
  readonly file?: string;
  /** Port of a block that names none; default 53. */
  readonly port?: number;
  /** For `{$NAME}`; a name that is missing gives ''. */
  readonly environment?: Readonly<Record<string, string | undefined>>;
  /** Text of an imported file; undefined when there is none. Without it only snippets can be imported. */
  readonly readImport?: (path: string) => string | undefined;
}

const MAX_IMPORTS = 1000;

/** Reads a Corefile into server blocks; throws ERR_DNS_CONFIG with file and line. Plugins are read by their own parsers. */
export function parseCorefile(input: CorefileInput): readonly ServerBlock[] {
  return new CorefileParser(input).parse();
}

class CorefileParser {
  readonly #input: CorefileInput;
  readonly #snippets = new Map<string, readonly Token[]>();
  readonly #tokens: Token[];
  #at = 0;
  #imports = 0;

  constructor(input: CorefileInput) {
    this.#input = input;
    this.#tokens = readTokens(input.text, input.file ?? 'Corefile').map((token) => this.#expand(token));
  }

  parse(): readonly ServerBlock[] {
    const blocks: ServerBlock[] = [];
    while (this.#at < this.#tokens.length) {
      const block = this.#block();
      if (block !== undefined) blocks.push(block);
    }
    return blocks;
  }

  #expand(token: Token): Token {
    const environment = this.#input.environment ?? {};
    const text = token.text.replace(/\{\$(\w+)\}|\{%(\w+)%\}/g, (_all, unix, windows) => {
      return environment[unix ?? windows] ?? '';
    });
    return text === token.text ? token : { ...token, text };
  }

  #block(): ServerBlock | undefined {
    const at = this.#tokens[this.#at]!;
    const keys = this.#keys();
    const snippet = /^\((.+)\)$/.exec(keys[0]?.text ?? '')?.[1];
    if (snippet !== undefined && keys.length === 1) {
      this.#readSnippet(snippet, keys[0]!);
      return undefined;
    }
    const braced = this.#isBrace('{');
    if (braced) this.#at++;
    const directives = this.#directives(braced ? at : undefined);
    if (keys.length === 0) return undefined;
    return { keys: keys.flatMap((key) => this.#serverKeys(key)), directives, at };
  }

  #keys(): readonly Token[] {
    const keys: Token[] = [];
    // A comma says that another key follows, be it on the next line.
    let more = true;
    while (this.#at < this.#tokens.length && !this.#isBrace('{')) {
      const token = this.#tokens[this.#at]!;
      if (token.text === 'import' && !token.quoted && this.#startsLine()) {
        this.#import();
        continue;
      }
      if (!more && this.#startsLine()) return keys;
      if (this.#isBrace('}')) throw configError(token, "unexpected '}'");
      this.#at++;
      more = token.text.endsWith(',');
      const text = more ? token.text.slice(0, -1) : token.text;
      if (text !== '') keys.push({ ...token, text });
    }
    return keys;
  }

  #readSnippet(name: string, at: Token): void {
    if (this.#snippets.has(name)) throw configError(at, `redeclaration of previously declared snippet ${name}`);
    if (!this.#isBrace('{')) throw configError(at, `snippet ${name} has no braces`);
    const start = ++this.#at;
    for (let depth = 1; depth > 0; this.#at++) {
      if (this.#at >= this.#tokens.length) throw configError(at, `snippet ${name} is not closed`);
      if (this.#isBrace('{')) depth++;
      else if (this.#isBrace('}')) depth--;
    }
    this.#snippets.set(name, this.#tokens.slice(start, this.#at - 1));
  }

  #directives(opened: Token | undefined): readonly Directive[] {
    const directives: Directive[] = [];
    while (this.#at < this.#tokens.length) {
      if (opened !== undefined && this.#isBrace('}')) {
        this.#at++;
        return directives;
      }
      const token = this.#tokens[this.#at]!;
      if (token.text === 'import' && !token.quoted) this.#import();
      else directives.push(this.#directive());
    }
    if (opened !== undefined) throw configError(opened, 'server block is not closed', 'Add the missing `}`.');
    return directives;
  }

  #directive(): Directive {
    const name = this.#tokens[this.#at++]!;
    if (name.text === '}' || name.text === '{') throw configError(name, `unexpected '${name.text}'`);
    const args = this.#restOfLine();
    if (!this.#isBrace('{') || this.#tokens[this.#at]!.line !== lastLine(name, args))
      return { name, args, options: [] };
    const open = this.#tokens[this.#at++]!;
    const options: OptionLine[] = [];
    while (!this.#isBrace('}')) {
      const option = this.#tokens[this.#at];
      if (option === undefined) throw configError(open, `block of ${name.text} is not closed`, 'Add the missing `}`.');
      if (option.text === 'import' && !option.quoted) this.#import();
      else {
        this.#at++;
        options.push({ name: option, args: this.#restOfLine() });
      }
    }
    this.#at++;
    return { name, args, options };
  }

  #restOfLine(): readonly Token[] {
    const args: Token[] = [];
    while (this.#at < this.#tokens.length && !this.#isBrace('{') && !this.#isBrace('}') && !this.#startsLine()) {
      args.push(this.#tokens[this.#at++]!);
    }
    return args;
  }

  #import(): void {
    const at = this.#tokens[this.#at]!;
    const target = this.#tokens[this.#at + 1];
    if (target === undefined || target.line !== at.line) throw configError(at, 'import names nothing');
    if (++this.#imports > MAX_IMPORTS) throw configError(at, `more than ${MAX_IMPORTS} imports`);
    const imported = this.#snippets.get(target.text) ?? this.#importFile(target);
    this.#tokens.splice(this.#at, 2, ...imported);
  }

  #importFile(target: Token): readonly Token[] {
    const text = this.#input.readImport?.(target.text);
    if (text === undefined) throw configError(target, `File to import not found: ${target.text}`);
    return readTokens(text, target.text).map((token) => this.#expand(token));
  }

  #serverKeys(key: Token): readonly ServerKey[] {
    const scheme = /^([a-z0-9]+):\/\//i.exec(key.text)?.[1];
    if (scheme !== undefined && scheme.toLowerCase() !== 'dns') {
      throw configError(key, `unsupported transport ${scheme}://`, 'Only plain DNS (dns:// or no scheme) is served.');
    }
    const bare = scheme === undefined ? key.text : key.text.slice(scheme.length + 3);
    const port = /:(\d{1,5})$/.exec(bare)?.[1];
    const host = port === undefined ? bare : bare.slice(0, -port.length - 1);
    const zones = normalizeZones(host === '' ? '.' : host);
    if (zones === undefined) throw configError(key, `zone is not a valid domain name: ${host}`);
    return zones.map((zone) => ({ zone: absoluteName(zone), port: Number(port ?? this.#input.port ?? 53) }));
  }

  #isBrace(text: '{' | '}'): boolean {
    const token = this.#tokens[this.#at];
    return token !== undefined && !token.quoted && token.text === text;
  }

  #startsLine(): boolean {
    const token = this.#tokens[this.#at]!;
    const previous = this.#tokens[this.#at - 1];
    return previous === undefined || previous.file !== token.file || previous.line !== token.line;
  }
}

function lastLine(name: Token, args: readonly Token[]): number {
  return (args.at(-1) ?? name).line;
}
