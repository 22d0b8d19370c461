import type { KubeObject } from './resources.ts';
import { ApiStatusError } from './status.ts';

export interface FieldRequirement {
  /** Dotted path, such as `spec.nodeName`. */
  readonly field: string;
  readonly operator: '=' | '!=';
  readonly value: string;
}

/** Parses `metadata.name=web,status.phase!=Failed`; `\` escapes `,`, `=` and itself. Throws ApiStatusError BadRequest. */
export function parseFieldSelector(text: string): readonly FieldRequirement[] {
  return splitAtCommas(text)
    .filter((term) => term !== '')
    .map((term) => {
      const match = /^([^=!\\]+)(==|=|!=)((?:[^\\=,]|\\[\\=,])*)$/s.exec(term);
      if (!match) throw new ApiStatusError('BadRequest', `invalid selector: '${text}'; can't understand '${term}'`);
      return {
        field: match[1]!,
        operator: match[2] === '!=' ? '!=' : '=',
        value: match[3]!.replaceAll(/\\([\\=,])/g, '$1'),
      };
    });
}

/** True when every requirement holds; a field that the object lacks counts as the empty string. */
export function matchesFields(requirements: readonly FieldRequirement[], object: KubeObject): boolean {
  return requirements.every(
    ({ field, operator, value }) => (fieldText(object, field) === value) === (operator === '='),
  );
}

function fieldText(object: KubeObject, field: string): string {
  let value: unknown = object;
  for (const name of field.split('.')) {
    if (typeof value !== 'object' || value === null) return '';
    value = (value as Record<string, unknown>)[name];
  }
  return value === undefined || value === null ? '' : String(value);
}

function splitAtCommas(text: string): readonly string[] {
  return text.match(/(?:\\.|[^,\\])+/gs) ?? [];
}
