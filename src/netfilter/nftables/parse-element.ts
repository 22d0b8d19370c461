import type { Element, Verdict } from './rule.ts';
import type { TokenCursor } from './token-cursor.ts';

/** Reads `{ element, ... }`. */
export function parseElements(cursor: TokenCursor): Element[] {
  const elements: Element[] = [];
  cursor.expect('{');
  while (!cursor.takeBlockEnd()) {
    elements.push(parseElement(cursor));
    cursor.skipSeparators();
    cursor.take(',');
  }
  return elements;
}

/** Reads a verdict, or takes nothing. */
export function parseVerdict(cursor: TokenCursor): Verdict | undefined {
  if (cursor.take('accept')) return { kind: 'accept' };
  if (cursor.take('drop')) return { kind: 'drop' };
  if (cursor.take('return')) return { kind: 'return' };
  if (cursor.take('goto')) return { kind: 'goto', chain: cursor.next() };
  if (cursor.take('jump')) return { kind: 'jump', chain: cursor.next() };
  return undefined;
}

function parseElement(cursor: TokenCursor): Element {
  const key = parseJoined(cursor);
  const comment = parseAttributes(cursor);
  const value = cursor.take(':') ? (parseVerdict(cursor) ?? parseJoined(cursor)) : undefined;
  return {
    key,
    ...(value === undefined ? {} : { value }),
    ...(comment === undefined ? {} : { comment }),
  };
}

function parseJoined(cursor: TokenCursor): string {
  const words = [cursor.next()];
  while (cursor.take('.')) words.push(cursor.next());
  return words.join(' . ');
}

// `timeout 1h expires 3m`, `counter packets 1 bytes 2`: what the element is now, not what it was declared as.
function parseAttributes(cursor: TokenCursor): string | undefined {
  let comment: string | undefined;
  for (;;) {
    if (cursor.take('comment')) comment = cursor.next();
    else if (cursor.take('timeout') || cursor.take('expires') || cursor.take('packets') || cursor.take('bytes'))
      cursor.next();
    else if (!cursor.take('counter')) return comment;
  }
}
