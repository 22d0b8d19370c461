import { parsePrefix, printPrefix } from '../address.ts';
import { parseExtension } from './parse-extension.ts';
import { parseTarget } from './parse-target.ts';
import type { Match, Rule, Target } from './rule.ts';
import { splitWords, type WordReader, wordReader } from './words.ts';

interface RuleDraft {
  readonly words: WordReader;
  /** Matches that need no `-m`. */
  readonly plain: Match[];
  readonly extensions: Match[];
  target: Target | undefined;
}

/**
 * Reads the words behind `-A CHAIN`, in the order that iptables-save prints or in the one that people and kube-proxy
 * write. What it does not know is kept as `other`. Matches come out in iptables-save's order.
 */
export function parseRule(text: string): Rule {
  const draft: RuleDraft = { words: wordReader(splitWords(text)), plain: [], extensions: [], target: undefined };
  while (!draft.words.done()) readOption(draft);
  const matches = [...draft.plain.sort(byRank), ...draft.extensions];
  return draft.target === undefined ? { matches } : { matches, target: draft.target };
}

function readOption(draft: RuleDraft): void {
  const { words } = draft;
  const not = words.take('!');
  const option = words.next();
  switch (option) {
    case '-j':
    case '--jump':
    case '-g':
    case '--goto':
      draft.target = parseTarget(option.startsWith('-j') || option === '--jump' ? 'jump' : 'goto', words);
      return;
    case '-m':
    case '--match':
      draft.extensions.push(parseExtension(words));
      return;
    case '-c':
    case '--set-counters':
      words.next();
      words.next();
      return;
    default:
      readPlain(draft, option, not);
  }
}

function readPlain(draft: RuleDraft, option: string, not: boolean): void {
  const { words, plain, extensions } = draft;
  const negation = not ? { not } : {};
  switch (option) {
    case '-p':
    case '--protocol':
      plain.push({ kind: 'protocol', protocol: words.next().toLowerCase(), ...negation });
      return;
    case '-s':
    case '--source':
    case '--src':
      plain.push({ kind: 'source', prefix: canonicalPrefix(words.next()), ...negation });
      return;
    case '-d':
    case '--destination':
    case '--dst':
      plain.push({ kind: 'destination', prefix: canonicalPrefix(words.next()), ...negation });
      return;
    case '-i':
    case '--in-interface':
      plain.push({ kind: 'in-interface', name: words.next(), ...negation });
      return;
    case '-o':
    case '--out-interface':
      plain.push({ kind: 'out-interface', name: words.next(), ...negation });
      return;
    case '--sport':
    case '--source-port':
    case '--dport':
    case '--destination-port':
      readPort(draft, option.startsWith('--s') ? 'source' : 'destination', not);
      return;
    default:
      extensions.push({ kind: 'other', words: [...(not ? ['!'] : []), option, ...words.rest()] });
  }
}

// `-m tcp -p tcp -d IP --dport 80`: the port belongs to the match before; `-p tcp --dport 80` loads that match by itself.
function readPort({ words, plain, extensions }: RuleDraft, side: 'source' | 'destination', not: boolean): void {
  const range = words.next();
  const index = extensions.findLastIndex((match) => match.kind === 'ports');
  const match = extensions[index] ?? impliedPorts(plain);
  if (not || match?.kind !== 'ports') {
    const option = side === 'source' ? '--sport' : '--dport';
    extensions.push({ kind: 'other', words: [...(not ? ['!'] : []), option, range] });
  } else if (index === -1) extensions.push({ ...match, [side]: range });
  else extensions[index] = { ...match, [side]: range };
}

function impliedPorts(plain: readonly Match[]): Match | undefined {
  const protocol = plain.find((match) => match.kind === 'protocol')?.protocol;
  return protocol === 'tcp' || protocol === 'udp' || protocol === 'sctp' ? { kind: 'ports', protocol } : undefined;
}

const RANK = ['source', 'destination', 'in-interface', 'out-interface', 'protocol'];
const byRank = (a: Match, b: Match): number => RANK.indexOf(a.kind) - RANK.indexOf(b.kind);

function canonicalPrefix(text: string): string {
  const prefix = parsePrefix(text);
  return prefix === undefined ? text : printPrefix(prefix);
}
