/** A rule for a text; returns what is wrong with it in the real server's words, nothing when it is right. */
export type TextRule = (value: string) => readonly string[];

const LABEL = '[a-z0-9]([-a-z0-9]*[a-z0-9])?';
const SUBDOMAIN = `${LABEL}(\\.${LABEL})*`;
const LABEL_1035 = '[a-z]([-a-z0-9]*[a-z0-9])?';
const WILDCARD_SUBDOMAIN = `\\*\\.${SUBDOMAIN}`;
const QUALIFIED = '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]';
const LABEL_VALUE = '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?';
const CONFIG_KEY = '[-._a-zA-Z0-9]+';
const HTTP_HEADER = '[-A-Za-z0-9]+';
const whole = (format: string): RegExp => new RegExp(`^(?:${format})$`);
const [labelRegExp, subdomainRegExp, label1035RegExp, wildcardRegExp, qualifiedRegExp, labelValueRegExp] = [
  LABEL,
  SUBDOMAIN,
  LABEL_1035,
  WILDCARD_SUBDOMAIN,
  QUALIFIED,
  LABEL_VALUE,
].map(whole) as [RegExp, RegExp, RegExp, RegExp, RegExp, RegExp];
const [configKeyRegExp, httpHeaderRegExp] = [CONFIG_KEY, HTTP_HEADER].map(whole) as [RegExp, RegExp];

const QUALIFIED_MESSAGE =
  "must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character";

/** `must be no more than 63 bytes`. */
export const maxLengthMessage = (length: number): string => `must be no more than ${length} bytes`;

/** `must be between 1 and 65535, inclusive`. */
export const rangeMessage = (low: number, high: number): string => `must be between ${low} and ${high}, inclusive`;

/** The message with its examples and the expression, as the real server composes it. */
export function regexMessage(message: string, format: string, ...examples: readonly string[]): string {
  if (examples.length === 0) return `${message} (regex used for validation is '${format}')`;
  const quoted = examples.map((example) => `'${example}', `).join(' or ');
  return `${message} (e.g. ${quoted}regex used for validation is '${format}')`;
}

const tooLong = (value: string, max: number): readonly string[] =>
  Buffer.byteLength(value) > max ? [maxLengthMessage(max)] : [];

/** RFC 1123 label: names of Namespaces, containers, ports of pods. */
export const dns1123Label: TextRule = (value) => {
  if (labelRegExp.test(value)) return tooLong(value, 63);
  if (subdomainRegExp.test(value)) return [...tooLong(value, 63), 'must not contain dots'];
  const message =
    "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character";
  return [...tooLong(value, 63), regexMessage(message, LABEL, 'my-name', '123-abc')];
};

/** RFC 1123 subdomain: names of most kinds. */
export const dns1123Subdomain: TextRule = (value) => {
  if (subdomainRegExp.test(value)) return tooLong(value, 253);
  const message =
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character";
  return [...tooLong(value, 253), regexMessage(message, SUBDOMAIN, 'example.com')];
};

/** DNS-1035 label: names of Services. */
export const dns1035Label: TextRule = (value) => {
  if (label1035RegExp.test(value)) return tooLong(value, 63);
  const message =
    "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic character, and end with an alphanumeric character";
  return [...tooLong(value, 63), regexMessage(message, LABEL_1035, 'my-name', 'abc-123')];
};

/** `*.example.com`: hosts of Ingress rules. */
export const wildcardDNS1123Subdomain: TextRule = (value) => {
  if (wildcardRegExp.test(value)) return tooLong(value, 253);
  const message =
    "a wildcard DNS-1123 subdomain must start with '*.', followed by a valid DNS subdomain, which must consist of lower case alphanumeric characters, '-' or '.' and end with an alphanumeric character";
  return [...tooLong(value, 253), regexMessage(message, WILDCARD_SUBDOMAIN, '*.example.com')];
};

/** `example.com/MyName`: keys of labels and annotations, finalizers, resource names. */
export const qualifiedName: TextRule = (value) => {
  const examples = regexMessage(QUALIFIED_MESSAGE, QUALIFIED, 'MyName', 'my.name', '123-abc');
  const parts = value.split('/');
  if (parts.length > 2) {
    return [`a valid label key ${examples} with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')`];
  }
  const messages: string[] = [];
  const name = parts.at(-1) ?? '';
  if (parts.length === 2) {
    const prefix = parts[0] ?? '';
    if (prefix === '') messages.push('prefix part must be non-empty');
    else messages.push(...dns1123Subdomain(prefix).map((message) => `prefix part ${message}`));
  }
  if (name === '') messages.push('name part must be non-empty');
  else if (Buffer.byteLength(name) > 63) messages.push(`name part ${maxLengthMessage(63)}`);
  if (!qualifiedRegExp.test(name)) messages.push(`name part ${examples}`);
  return messages;
};

/** Values of labels. */
export const labelValue: TextRule = (value) => {
  if (labelValueRegExp.test(value)) return tooLong(value, 63);
  const message =
    "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character";
  return [...tooLong(value, 63), regexMessage(message, LABEL_VALUE, 'MyValue', 'my_value', '12345')];
};

/** What a path segment can hold: names of Roles, RoleBindings and other kinds without a stricter rule. */
export const pathSegment: TextRule = (value) => {
  if (value === '.' || value === '..') return [`may not be '${value}'`];
  return ['/', '%']
    .filter((character) => value.includes(character))
    .map((character) => `may not contain '${character}'`);
};

/** Keys of ConfigMap and Secret data. */
export const configMapKey: TextRule = (value) => {
  const messages = [...tooLong(value, 253)];
  if (!configKeyRegExp.test(value)) {
    const message = "a valid config key must consist of alphanumeric characters, '-', '_' or '.'";
    messages.push(regexMessage(message, CONFIG_KEY, 'key.name', 'KEY_NAME', 'key-name'));
  }
  if (value === '.' || value === '..') messages.push(`must not be '${value}'`);
  else if (value.startsWith('..')) messages.push("must not start with '..'");
  return messages;
};

/** Names of environment variables since 1.30: printable ASCII without `=`. */
export const envVarName: TextRule = (value) => {
  if (value === '') return ['environment variable name must be non-empty'];
  if (/^[\x20-\x3c\x3e-\x7e]+$/.test(value)) return [];
  return ["a valid environment variable name must consist only of printable ASCII characters other than '='"];
};

/** Names of container ports and of Service target ports: at most 15 characters with a letter in them. */
export const portName: TextRule = (value) => {
  const messages = [...tooLong(value, 15)];
  if (!/^[-a-z0-9]+$/.test(value)) {
    messages.push('must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)');
  }
  if (!/[a-z]/.test(value)) messages.push('must contain at least one letter (a-z)');
  if (value.includes('--')) messages.push('must not contain consecutive hyphens');
  if (value.startsWith('-') || value.endsWith('-')) messages.push('must not begin or end with a hyphen');
  return messages;
};

/** Numbers of ports. */
export function portNumber(value: number | undefined): readonly string[] {
  return value !== undefined && Number.isInteger(value) && value >= 1 && value <= 65535 ? [] : [rangeMessage(1, 65535)];
}

/** Names of HTTP headers. */
export const httpHeaderName: TextRule = (value) =>
  httpHeaderRegExp.test(value)
    ? []
    : [
        regexMessage(
          "a valid HTTP header must consist of alphanumeric characters or '-'",
          HTTP_HEADER,
          'X-Header-Name',
        ),
      ];

/** The rule as it judges the prefix that generateName gives: a trailing `-` will not be the last character. */
export function forGeneratedNames(rule: TextRule): TextRule {
  return (value) => rule(value.length > 1 && value.endsWith('-') ? `${value.slice(0, -1)}a` : value);
}
