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
 * Finds the items of a list in JSON (UTF-8) without reading them: read one by one, what was read of one is gone before the
 * next, where all of a large list at once would be held. Undefined for what is no such list; whether it is JSON is not judged.
 */
export function splitList(json: Buffer): SplitList | undefined {
  const start = findItems(json);
  if (start === undefined) return undefined;
  const found = findCommas(json, start);
  if (found === undefined) return undefined;
  const rest = `${json.toString('utf8', 0, start)}[]${json.toString('utf8', found.end)}`;
  return { rest, items: elements(json, [start, ...found.commas, found.end - 1]) };
}

// Where the array of the field `items` of the outermost object begins.
function findItems(json: Buffer): number | undefined {
  const key = '"items"';
  for (let found = json.indexOf(key); found !== -1; found = json.indexOf(key, found + 1)) {
    if (depthAt(json, found) !== 1) continue;
    const [opening] = /^\s*:\s*\[/.exec(json.toString('latin1', found + key.length, found + key.length + 100)) ?? [];
    if (opening !== undefined) return found + key.length + opening.length - 1;
  }
  return undefined;
}

// How many objects and lists are open; undefined inside of a text.
function depthAt(json: Buffer, end: number): number | undefined {
  let depth = 0;
  for (let at = 0; at < end; at++) {
    const byte = json[at]!;
    if (byte === QUOTE) {
      at = closingQuote(json, at);
      if (at >= end) return undefined;
    } else depth += step(byte);
  }
  return depth;
}

// The commas between the elements of the array that begins at `start`, and where it has ended.
function findCommas(
  json: Buffer,
  start: number,
): { readonly commas: readonly number[]; readonly end: number } | undefined {
  const commas: number[] = [];
  let depth = 0;
  for (let at = start; at < json.length; at++) {
    const byte = json[at]!;
    if (byte === QUOTE) at = closingQuote(json, at);
    else if (byte === COMMA) {
      if (depth === 1) commas.push(at);
    } else {
      depth += step(byte);
      if (depth === 0) return { commas, end: at + 1 };
    }
  }
  return undefined;
}

// What lies between each two places.
function* elements(json: Buffer, places: readonly number[]): Generator<string> {
  for (let i = 1; i < places.length; i++) {
    const element = json.toString('utf8', places[i - 1]! + 1, places[i]);
    if (places.length > 2 || element.trim() !== '') yield element;
  }
}

// `{` and `[` open, `}` and `]` close.
function step(byte: number): number {
  switch (byte) {
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

function closingQuote(json: Buffer, open: number): number {
  for (let at = open + 1; at < json.length; at++) {
    const byte = json[at]!;
    if (byte === QUOTE) return at;
    if (byte === BACKSLASH) at++;
  }
  return json.length;
}
