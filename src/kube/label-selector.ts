import type { LabelSelector } from './generated/types.ts';
import { ApiStatusError } from './status.ts';

export type Labels = Readonly<Record<string, string>>;

export interface LabelRequirement {
  readonly key: string;
  readonly operator: 'In' | 'NotIn' | 'Exists' | 'DoesNotExist' | 'Gt' | 'Lt';
  readonly values: readonly string[];
}

const KEY = '((?:[a-z0-9](?:[-a-z0-9.]{0,251}[a-z0-9])?/)?[A-Za-z0-9](?:[-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)';
const VALUE = '((?:[A-Za-z0-9](?:[-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)?)';
const EXISTS = new RegExp(`^(!?)\\s*${KEY}$`);
const EQUALITY = new RegExp(`^${KEY}\\s*(==|=|!=)\\s*${VALUE}$`);
const SET = new RegExp(`^${KEY}\\s+(in|notin)\\s*\\(([^()]*)\\)$`);
const ORDER = new RegExp(`^${KEY}\\s*([<>])\\s*(-?\\d+)$`);
const ONE_VALUE = new RegExp(`^${VALUE}$`);

/** Parses a selector as it stands in a query string, such as `app=web,tier in (a,b),!old`; throws ApiStatusError BadRequest. */
export function parseLabelSelector(text: string): readonly LabelRequirement[] {
  return splitOutsideParentheses(text).map(parseRequirement);
}

/** The requirements of a LabelSelector object; throws ApiStatusError BadRequest for an operator it cannot have. */
export function labelRequirementsOf(selector: LabelSelector): readonly LabelRequirement[] {
  const equal = Object.entries(selector.matchLabels ?? {}).map(
    ([key, value]): LabelRequirement => ({ key, operator: 'In', values: [value] }),
  );
  const expressions = (selector.matchExpressions ?? []).map(({ key, operator, values }): LabelRequirement => {
    if (operator !== 'In' && operator !== 'NotIn' && operator !== 'Exists' && operator !== 'DoesNotExist') {
      throw new ApiStatusError('BadRequest', `"${operator}" is not a valid label selector operator`);
    }
    return { key, operator, values: values ?? [] };
  });
  return [...equal, ...expressions];
}

/** True when every requirement holds; an empty list holds for everything. */
export function matchesRequirements(requirements: readonly LabelRequirement[], labels: Labels | undefined): boolean {
  return requirements.every((requirement) => holds(requirement, labels?.[requirement.key]));
}

/** True when the selector selects these labels: undefined selects nothing, an empty selector everything. */
export function matchesLabelSelector(selector: LabelSelector | undefined, labels: Labels | undefined): boolean {
  return selector !== undefined && matchesRequirements(labelRequirementsOf(selector), labels);
}

/** True when `labels` has every pair of `wanted`, as the selectors of Services and of nodeSelector mean it. */
export function hasLabels(wanted: Labels, labels: Labels | undefined): boolean {
  for (const key in wanted) if (labels?.[key] !== wanted[key]) return false;
  return true;
}

/** Prints requirements in the form that parseLabelSelector reads, as kubectl shows them. */
export function printLabelSelector(requirements: readonly LabelRequirement[]): string {
  return requirements.map(printRequirement).join(',');
}

function printRequirement({ key, operator, values }: LabelRequirement): string {
  if (operator === 'Exists') return key;
  if (operator === 'DoesNotExist') return `!${key}`;
  if (operator === 'Gt') return `${key}>${values[0]}`;
  if (operator === 'Lt') return `${key}<${values[0]}`;
  if (operator === 'In' && values.length === 1) return `${key}=${values[0]}`;
  if (operator === 'NotIn' && values.length === 1) return `${key}!=${values[0]}`;
  return `${key} ${operator === 'In' ? 'in' : 'notin'} (${[...values].sort().join(',')})`;
}

function holds({ operator, values }: LabelRequirement, value: string | undefined): boolean {
  switch (operator) {
    case 'In':
      return value !== undefined && values.includes(value);
    case 'NotIn':
      return value === undefined || !values.includes(value);
    case 'Exists':
      return value !== undefined;
    case 'DoesNotExist':
      return value === undefined;
    default:
      return value !== undefined && /^-?\d+$/.test(value) && holdsOrder(operator, value, values[0] ?? '');
  }
}

function holdsOrder(operator: 'Gt' | 'Lt', value: string, bound: string): boolean {
  return operator === 'Gt' ? BigInt(value) > BigInt(bound) : BigInt(value) < BigInt(bound);
}

function splitOutsideParentheses(text: string): readonly string[] {
  if (text.trim() === '') return [];
  const parts: string[] = [];
  let depth = 0;
  let start = 0;
  for (let i = 0; i < text.length; i++) {
    if (text[i] === '(') depth++;
    else if (text[i] === ')') depth--;
    else if (text[i] === ',' && depth === 0) {
      parts.push(text.slice(start, i).trim());
      start = i + 1;
    }
  }
  return [...parts, text.slice(start).trim()];
}

function parseRequirement(text: string): LabelRequirement {
  const exists = EXISTS.exec(text);
  if (exists) return { key: exists[2]!, operator: exists[1] === '!' ? 'DoesNotExist' : 'Exists', values: [] };
  const equality = EQUALITY.exec(text);
  if (equality) return { key: equality[1]!, operator: equality[2] === '!=' ? 'NotIn' : 'In', values: [equality[3]!] };
  const order = ORDER.exec(text);
  if (order) return { key: order[1]!, operator: order[2] === '>' ? 'Gt' : 'Lt', values: [order[3]!] };
  const set = SET.exec(text);
  const values = set?.[3]?.split(',').map((value) => value.trim());
  if (set && values?.every((value) => ONE_VALUE.test(value))) {
    return { key: set[1]!, operator: set[2] === 'in' ? 'In' : 'NotIn', values };
  }
  throw new ApiStatusError('BadRequest', `unable to parse requirement: "${text}" is not a valid label selector`);
}
