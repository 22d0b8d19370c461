import type { Match, Rule, Target } from './rule.ts';

/** xt_comment holds 255 characters; longer ones are clipped instead of failing the whole transaction. */
const COMMENT_MAX = 255;

/** The rule as iptables-save prints it behind `-A CHAIN`; iptables-restore reads the same. */
export function printRule(rule: Rule): string {
  // Joined rather than concatenated: a proxy holds many of these, and join makes flat strings.
  const parts = rule.matches.map(printMatch);
  if (rule.target !== undefined) parts.push(printTarget(rule.target));
  return parts.join(' ');
}

const not = (match: { readonly not?: boolean }): string => (match.not === true ? '! ' : '');
const hex = (value: number): string => `0x${value.toString(16)}`;

function printMatch(match: Match): string {
  switch (match.kind) {
    case 'comment':
      return `-m comment --comment ${quote(match.text.slice(0, COMMENT_MAX))}`;
    case 'protocol':
      return `${not(match)}-p ${match.protocol}`;
    case 'source':
      return `${not(match)}-s ${match.prefix}`;
    case 'destination':
      return `${not(match)}-d ${match.prefix}`;
    case 'in-interface':
      return `${not(match)}-i ${match.name}`;
    case 'out-interface':
      return `${not(match)}-o ${match.name}`;
    case 'ports':
      return `-m ${match.protocol}${port('--sport', match.source)}${port('--dport', match.destination)}`;
    default:
      return printExtension(match);
  }
}

const port = (option: string, range: string | undefined): string => (range === undefined ? '' : ` ${option} ${range}`);

type ExtensionMatch = Exclude<
  Match,
  {
    kind: 'comment' | 'protocol' | 'source' | 'destination' | 'in-interface' | 'out-interface' | 'ports';
  }
>;

function printExtension(match: ExtensionMatch): string {
  switch (match.kind) {
    case 'conntrack-state':
      return `-m conntrack ${not(match)}--ctstate ${match.states.join(',')}`;
    case 'mark':
      return `-m mark ${not(match)}--mark ${hex(match.value)}/${hex(match.mask)}`;
    case 'address-type':
      return `-m addrtype ${not(match)}--${match.side === 'source' ? 'src' : 'dst'}-type ${match.type}`;
    case 'statistic-random':
      return `-m statistic --mode random --probability ${match.probability}`;
    case 'statistic-nth':
      return `-m statistic --mode nth --every ${match.every} --packet ${match.packet}`;
    case 'recent':
      return printRecent(match);
    case 'physdev-is-in':
      return `-m physdev ${not(match)}--physdev-is-in`;
    case 'nfacct':
      return `-m nfacct --nfacct-name ${match.name}`;
    case 'other':
      return match.words.map(verbatim).join(' ');
  }
}

function printRecent(match: Extract<Match, { kind: 'recent' }>): string {
  const seconds = match.seconds === undefined ? '' : ` --seconds ${match.seconds}`;
  const reap = match.reap === true ? ' --reap' : '';
  const mask = match.mask === undefined ? '' : ` --mask ${match.mask}`;
  return `-m recent ${not(match)}--${match.action}${seconds}${reap} --name ${match.list}${mask} --rsource`;
}

function printTarget(target: Target): string {
  switch (target.kind) {
    case 'accept':
    case 'drop':
    case 'return':
      return `-j ${target.kind.toUpperCase()}`;
    case 'jump':
      return `-j ${target.chain}`;
    case 'goto':
      return `-g ${target.chain}`;
    case 'reject':
      return `-j REJECT${target.with === undefined ? '' : ` --reject-with ${target.with}`}`;
    case 'mark':
      return `-j MARK --set-xmark ${hex(target.value)}/${hex(target.mask)}`;
    case 'masquerade':
      return `-j MASQUERADE${target.randomFully ? ' --random-fully' : ''}`;
    case 'dnat':
      return `-j DNAT --to-destination ${target.to}`;
    case 'snat':
      return `-j SNAT --to-source ${target.to}`;
    case 'redirect':
      return `-j REDIRECT --to-ports ${target.toPorts}`;
    case 'other':
      return target.words.map(verbatim).join(' ');
  }
}

// iptables-save quotes whatever is not made of letters, digits, dash and underscore, and escapes quotes and backslashes.
function quote(word: string): string {
  return /^[\w-]+$/.test(word) ? word : `"${word.replace(/(["\\'])/g, '\\$1')}"`;
}

const verbatim = (word: string): string => (/[\s"]/.test(word) ? quote(word) : word);
