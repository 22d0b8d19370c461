import * as names from '../../../validation/names.ts';
import { formatCheck } from '../../custom/string-formats.ts';
import type { FunctionTable } from '../function-table.ts';
import { type CelObject, ListValue, Optional, type Value } from '../values.ts';
import { parseUrl } from './url-parts.ts';

/** A named format; `problems` tells what is wrong with a text. */
class FormatValue implements CelObject {
  readonly typeName = 'kubernetes.NamedFormat';
  readonly name: string;
  readonly problems: names.TextRule;

  constructor(name: string, problems: names.TextRule) {
    this.name = name;
    this.problems = problems;
  }

  equals(other: Value): boolean {
    return other instanceof FormatValue && other.name === this.name;
  }
}

const checked =
  (format: string, problem: string): names.TextRule =>
  (text) =>
    formatCheck(format)!(text) ? [] : [problem];

const rules: Readonly<Record<string, names.TextRule>> = {
  dns1123Label: names.dns1123Label,
  dns1123Subdomain: names.dns1123Subdomain,
  dns1035Label: names.dns1035Label,
  qualifiedName: names.qualifiedName,
  dns1123LabelPrefix: names.forGeneratedNames(names.dns1123Label),
  dns1123SubdomainPrefix: names.forGeneratedNames(names.dns1123Subdomain),
  dns1035LabelPrefix: names.forGeneratedNames(names.dns1035Label),
  labelValue: names.labelValue,
  uri: (text) => (parseUrl(text) ? [] : [`parse ${JSON.stringify(text)}: invalid URI for request`]),
  uuid: checked('uuid', 'does not match the UUID format'),
  byte: checked('byte', 'invalid base64'),
  date: checked('date', 'invalid date'),
  datetime: checked('datetime', 'invalid datetime'),
};

const named = Object.entries(rules).map(([name, rule]) => new FormatValue(name, rule));

/** Formats of texts: names, labels, dates. */
export const formats: FunctionTable = {
  ...Object.fromEntries(named.map((format) => [`format.${format.name}()`, () => format])),
  'format.named(string)': (name: string) => {
    const format = named.find((candidate) => candidate.name === name);
    return format ? new Optional(format) : Optional.none;
  },
  '<kubernetes.NamedFormat>.validate(string)': (format: FormatValue, text: string) => {
    const problems = format.problems(text);
    return problems.length === 0 ? Optional.none : new Optional(new ListValue(problems));
  },
};
