import { parseMark } from './parse-extension.ts';
import type { Target } from './rule.ts';
import type { WordReader } from './words.ts';

/** Reads a target and its options: the words behind `-j` or `-g`. */
export function parseTarget(verb: 'jump' | 'goto', words: WordReader): Target {
  const name = words.next();
  if (verb === 'goto') return { kind: 'goto', chain: name };
  switch (name) {
    case 'ACCEPT':
      return { kind: 'accept' };
    case 'DROP':
      return { kind: 'drop' };
    case 'RETURN':
      return { kind: 'return' };
    case 'REJECT':
      return words.take('--reject-with') ? { kind: 'reject', with: words.next() } : { kind: 'reject' };
    case 'MASQUERADE':
      return { kind: 'masquerade', randomFully: words.take('--random-fully') };
    case 'DNAT':
      return words.take('--to-destination') ? { kind: 'dnat', to: words.next() } : other(name, words);
    case 'SNAT':
      return words.take('--to-source') ? { kind: 'snat', to: words.next() } : other(name, words);
    case 'REDIRECT':
      return words.take('--to-ports') ? { kind: 'redirect', toPorts: words.next() } : other(name, words);
    case 'MARK':
      return parseMarkTarget(words);
    default:
      return words.peek()?.startsWith('--') ? other(name, words) : { kind: 'jump', chain: name };
  }
}

// Every option of MARK comes down to mark = (mark & ~mask) ^ value.
function parseMarkTarget(words: WordReader): Target {
  const option = words.next();
  const { value, mask } = parseMark(words.next());
  switch (option) {
    case '--set-xmark':
      return { kind: 'mark', value, mask };
    case '--set-mark':
      return { kind: 'mark', value, mask: (value | mask) >>> 0 };
    case '--or-mark':
      return { kind: 'mark', value, mask: value };
    case '--xor-mark':
      return { kind: 'mark', value, mask: 0 };
    case '--and-mark':
      return { kind: 'mark', value: 0, mask: ~value >>> 0 };
    default:
      return { kind: 'other', words: ['-j', 'MARK', option, String(value), ...words.rest()] };
  }
}

function other(name: string, words: WordReader): Target {
  return { kind: 'other', words: ['-j', name, ...words.rest()] };
}
