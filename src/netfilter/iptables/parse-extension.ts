import type { ConntrackState, Match } from './rule.ts';
import type { WordReader } from './words.ts';

/** Reads one match extension: the words behind `-m`, up to the next match or target. */
export function parseExtension(words: WordReader): Match {
  const name = words.next();
  const read = READERS[name];
  return read === undefined ? { kind: 'other', words: ['-m', name, ...words.rest()] } : read(words, name);
}

type Reader = (words: WordReader, name: string) => Match;

const negation = (not: boolean): { readonly not?: true } => (not ? { not: true } : {});

const readPorts: Reader = (_words, name) => ({ kind: 'ports', protocol: name as 'tcp' | 'udp' | 'sctp' });

const READERS: Readonly<Record<string, Reader>> = {
  tcp: readPorts,
  udp: readPorts,
  sctp: readPorts,
  comment: (words) => {
    words.take('--comment');
    return { kind: 'comment', text: words.next() };
  },
  conntrack: (words) => {
    const not = words.take('!');
    if (!words.take('--ctstate')) return other('conntrack', not, words);
    return { kind: 'conntrack-state', states: words.next().split(',') as ConntrackState[], ...negation(not) };
  },
  mark: (words) => {
    const not = words.take('!');
    if (!words.take('--mark')) return other('mark', not, words);
    return { kind: 'mark', ...parseMark(words.next()), ...negation(not) };
  },
  addrtype: readAddressType,
  statistic: readStatistic,
  recent: readRecent,
  physdev: (words) => {
    const not = words.take('!');
    if (!words.take('--physdev-is-in')) return other('physdev', not, words);
    return { kind: 'physdev-is-in', ...negation(not) };
  },
  nfacct: (words) => {
    words.take('--nfacct-name');
    return { kind: 'nfacct', name: words.next() };
  },
};

/** `0x4000/0x4000`, or one value for a full mask. */
export function parseMark(text: string): { readonly value: number; readonly mask: number } {
  const [value = '0', mask = '0xffffffff'] = text.split('/');
  return { value: Number(value), mask: Number(mask) };
}

function readAddressType(words: WordReader): Match {
  const not = words.take('!');
  const option = words.next();
  const type = words.next();
  const side = option === '--src-type' ? 'source' : option === '--dst-type' ? 'destination' : undefined;
  if (side === undefined || !isAddressType(type)) {
    return { kind: 'other', words: ['-m', 'addrtype', ...(not ? ['!'] : []), option, type, ...words.rest()] };
  }
  return { kind: 'address-type', side, type, ...negation(not) };
}

const isAddressType = (type: string): type is 'LOCAL' | 'UNICAST' | 'BROADCAST' | 'MULTICAST' =>
  ['LOCAL', 'UNICAST', 'BROADCAST', 'MULTICAST'].includes(type);

function readStatistic(words: WordReader): Match {
  const options = readOptions(words);
  const probability = options.get('--probability');
  const mode = options.get('--mode');
  if (mode === 'random' && probability !== undefined && hasOnly(options, '--mode', '--probability'))
    return { kind: 'statistic-random', probability };
  if (mode !== 'nth' || !hasOnly(options, '--mode', '--every', '--packet'))
    return { kind: 'other', words: ['-m', 'statistic', ...wordsOf(options)] };
  return {
    kind: 'statistic-nth',
    every: Number(options.get('--every') ?? 1),
    packet: Number(options.get('--packet') ?? 0),
  };
}

function readRecent(words: WordReader): Match {
  const not = words.take('!');
  const options = readOptions(words);
  const action = options.has('--set') ? 'set' : options.has('--rcheck') ? 'rcheck' : undefined;
  if (action === undefined || !hasOnly(options, `--${action}`, '--name', '--seconds', '--reap', '--mask', '--rsource'))
    return { kind: 'other', words: ['-m', 'recent', ...(not ? ['!'] : []), ...wordsOf(options)] };
  const seconds = options.get('--seconds');
  const mask = options.get('--mask');
  return {
    kind: 'recent',
    action,
    list: options.get('--name') ?? 'DEFAULT',
    ...(seconds !== undefined && { seconds: Number(seconds) }),
    ...(options.has('--reap') && { reap: true }),
    ...(mask !== undefined && { mask }),
    ...negation(not),
  };
}

const hasOnly = (options: ReadonlyMap<string, string>, ...known: readonly string[]): boolean =>
  [...options.keys()].every((option) => known.includes(option));

const wordsOf = (options: ReadonlyMap<string, string>): string[] => [...options].flat().filter((word) => word !== '');

// Options of one extension with their values ('' for a flag), up to the next match or target.
function readOptions(words: WordReader): Map<string, string> {
  const options = new Map<string, string>();
  let last = '';
  for (const word of words.rest()) {
    if (word.startsWith('--')) {
      last = word;
      options.set(word, '');
    } else options.set(last, word);
  }
  return options;
}

function other(name: string, not: boolean, words: WordReader): Match {
  return { kind: 'other', words: ['-m', name, ...(not ? ['!'] : []), ...words.rest()] };
}
