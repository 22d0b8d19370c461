/** The items of a list in JSON, each as its own text, and the list without them. */
export interface SplitList {
  /** The list as JSON with `items: []`. */
  readonly rest: string;
  readonly items: Iterable<string>;
}

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const COMMA = 0x2c;

/**
 * Finds the items of a list in JSON without reading them: read one by one, what was read of one is gone before the next,
 * where all of a large list at once would be held. Undefined for what is no such list; whether it is JSON is not judged.
 */
export function splitList(text: string): SplitList | undefined {
  const start = findItems(text);
  if (start === undefined) return undefined;
  const end = skipValue(text, start);
  if (end === undefined) return undefined;
  return { rest: `${text.slice(0, start)}[]${text.slice(end)}`, items: elements(text, start + 1, end - 1) };
}

// Where the array of the field `items` of the outermost object begins.
function findItems(text: string): number | undefined {
  const key = /"items"\s*:\s*\[/g;
  for (let found = key.exec(text); found !== null; found = key.exec(text)) {
    if (depthAt(text, found.index) === 1) return key.lastIndex - 1;
  }
  return undefined;
}

// How many objects and lists are open; undefined inside of a text.
function depthAt(text: string, end: number): number | undefined {
  let depth = 0;
  for (let at = 0; at < end; at++) {
    const code = text.charCodeAt(at);
    if (code === QUOTE) {
      at = closingQuote(text, at);
      if (at >= end) return undefined;
    } else depth += step(code);
  }
  return depth;
}

/** Where the object or list that begins at `at` has ended. */
function skipValue(text: string, start: number): number | undefined {
  let depth = 0;
  for (let at = start; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (code === QUOTE) at = closingQuote(text, at);
    else {
      depth += step(code);
      if (depth === 0) return at + 1;
    }
  }
  return undefined;
}

function* elements(text: string, start: number, end: number): Generator<string> {
  let depth = 0;
  let from = start;
  for (let at = start; at < end; at++) {
    const code = text.charCodeAt(at);
    if (code === QUOTE) at = closingQuote(text, at);
    else if (code === COMMA && depth === 0) {
      yield text.slice(from, at);
      from = at + 1;
    } else depth += step(code);
  }
  const last = text.slice(from, end);
  if (from > start || last.trim() !== '') yield last;
}

// `{` and `[` open, `}` and `]` close.
function step(code: number): number {
  switch (code) {
    case 0x7b:
    case 0x5b:
      return 1;
    case 0x7d:
    case 0x5d:
      return -1;
    default:
      return 0;
  }
}

function closingQuote(text: string, open: number): number {
  for (let at = text.indexOf('"', open + 1); at !== -1; at = text.indexOf('"', at + 1)) {
    let slashes = 0;
    while (text.charCodeAt(at - 1 - slashes) === BACKSLASH) slashes++;
    if (slashes % 2 === 0) return at;
  }
  return text.length;
}
