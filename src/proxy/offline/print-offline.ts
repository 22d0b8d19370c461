import type { Evaluation, PacketPath } from '../../netfilter/evaluate/evaluate-packet.ts';
import { printRule } from '../../netfilter/iptables/print-rule.ts';
import { printRuleset } from '../../netfilter/iptables/print-ruleset.ts';
import { printTable } from '../../netfilter/nftables/print-table.ts';
import type { OfflineResult, OfflineRules } from './offline-result.ts';

/** The result as text: rules as iptables-restore (one family) or nft reads them, everything else as comments in it. */
export function printOffline(result: OfflineResult): string {
  const several = result.rules.length > 1;
  return [
    comment([`rules of node ${result.nodeName}, ${result.mode} mode`, ...result.notes.map((note) => `note: ${note}`)]),
    ...result.rules.map((rules) => printRules(rules, several)),
    ...result.walks.map(({ question, evaluation }) => comment(describeWalk(question.text, evaluation))),
  ].join('\n');
}

// What is quoted may hold line breaks, and must not become a rule.
function comment(texts: readonly string[]): string {
  const lines = texts.flatMap((text) => text.split(/[\r\n]+/));
  return lines.map((line) => `# ${line}\n`).join('');
}

function printRules(rules: OfflineRules, several: boolean): string {
  if (rules.mode === 'nftables') return printTable(rules.table);
  const tool = rules.family === 'ipv4' ? 'iptables-restore' : 'ip6tables-restore';
  return `${several ? comment([`for ${tool}:`]) : ''}${printRuleset(rules.ruleset)}`;
}

// A Service has a way per endpoint, and they differ in little else; JSON has them all.
const PRINTED_WAYS = 4;

function describeWalk(text: string, { verdict, endpoints, paths }: Evaluation): string[] {
  return [
    `packet ${text}: ${verdict}`,
    ...endpoints.map(({ address, probability, masquerade }) => {
      return `  to ${address}, ${percent(probability)}${masquerade ? ', masqueraded' : ''}`;
    }),
    ...paths.slice(0, PRINTED_WAYS).flatMap(describePath),
    ...(paths.length > PRINTED_WAYS ? [`  and ${paths.length - PRINTED_WAYS} further ways`] : []),
  ];
}

function describePath(path: PacketPath, index: number): string[] {
  const where = path.endpoint === undefined ? path.verdict : `${path.verdict} to ${path.endpoint}`;
  return [
    `  way ${index + 1} (${percent(path.probability)}): ${where}${path.masquerade ? ', masqueraded' : ''}`,
    ...path.steps.map(
      ({ hook, table, chain, rule }) => `    ${hook}: ${table} ${chain}: ${rule.replace(`-A ${chain} `, '')}`,
    ),
    ...path.notes.map((note) => `    note: ${note}`),
  ];
}

const percent = (share: number): string => `${(share * 100).toFixed(1)} %`;

/** The result as plain data: chains and rules by table, walks with every rule that matched. */
export function offlineJson(result: OfflineResult): unknown {
  const { nodeName, mode, notes } = result;
  return {
    nodeName,
    mode,
    families: result.rules.map((rules) => ({ family: rules.family, tables: tablesJson(rules) })),
    packets: result.walks.map(({ question, evaluation }) => {
      return {
        packet: question.text,
        verdict: evaluation.verdict,
        endpoints: evaluation.endpoints,
        paths: evaluation.paths,
      };
    }),
    notes,
  };
}

function tablesJson(rules: OfflineRules): unknown {
  if (rules.mode === 'iptables') {
    return [...rules.ruleset.tables.values()].map(({ name, chains }) => ({
      name,
      chains: [...chains.values()].map((chain) => ({ ...chain, rules: chain.rules.map(printRule) })),
    }));
  }
  const { family, name, sets, chains } = rules.table;
  return [
    {
      name: `${family} ${name}`,
      sets: [...sets.values()].map((set) => ({ ...set, elements: [...set.elements.values()] })),
      chains: [...chains.values()],
    },
  ];
}
