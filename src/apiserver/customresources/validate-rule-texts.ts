import { type CompiledRule, compileRules } from '../schema/cel/compile-rules.ts';
import { ruleScope, typeProblem } from '../schema/cel/types/rule-types.ts';
import type { FieldCause } from '../schema/contract.ts';
import type { StructuralSchema, ValidationRule } from '../schema/custom/structural-schema.ts';
import { invalid, notSupported, required } from '../validation/field-errors.ts';

const REASONS = ['FieldValueDuplicate', 'FieldValueForbidden', 'FieldValueInvalid', 'FieldValueRequired'];

/** Where a schema stands. */
export interface RulePlace {
  readonly path: string;
  readonly isRoot: boolean;
  /** The place above it whose items have no past. */
  readonly uncorrelatable: string | undefined;
}

/** What is wrong with the CEL rules at one schema. */
export function validateRuleTexts(schema: StructuralSchema, place: RulePlace): FieldCause[] {
  const { path, uncorrelatable } = place;
  const rules = schema['x-kubernetes-validations'] ?? [];
  const at = (index: number): string => `${path}.x-kubernetes-validations[${index}]`;
  const causes = rules.flatMap((rule, index) => textCauses(schema, rule, at(index)));
  if (causes.length > 0) return causes;
  return compileRules(schema).flatMap((compiled, index) => {
    const { rule, usesOldSelf } = compiled;
    const { problem, messageProblem } = problemsOf(schema, place, compiled);
    const found: FieldCause[] = [];
    if (problem !== undefined) found.push(invalid(`${at(index)}.rule`, inGo(rule), problem));
    if (messageProblem !== undefined) found.push(invalid(`${at(index)}.messageExpression`, inGo(rule), messageProblem));
    if (usesOldSelf && uncorrelatable !== undefined) {
      const detail = `oldSelf cannot be used on the uncorrelatable portion of the schema within ${uncorrelatable}`;
      found.push(invalid(`${at(index)}.rule`, rule.rule, detail));
    }
    if (!usesOldSelf && rule.optionalOldSelf !== undefined) {
      const detail = 'may not be set if oldSelf is not used in rule';
      found.push(invalid(`${at(index)}.optionalOldSelf`, rule.optionalOldSelf, detail));
    }
    return found;
  });
}

function problemsOf(
  schema: StructuralSchema,
  { isRoot }: RulePlace,
  { rule, problem, messageProblem }: CompiledRule,
): Pick<CompiledRule, 'problem' | 'messageProblem'> {
  const { messageExpression = '' } = rule;
  const scope = ruleScope(schema, isRoot, rule.optionalOldSelf === true);
  if (scope === undefined) return { problem, messageProblem };
  return {
    problem: problem ?? typeProblem(rule.rule, scope, 'bool'),
    messageProblem:
      messageProblem ?? (messageExpression === '' ? undefined : typeProblem(messageExpression, scope, 'string')),
  };
}

function textCauses(schema: StructuralSchema, rule: ValidationRule, path: string): FieldCause[] {
  const { message = '', messageExpression = '', reason, fieldPath = '' } = rule;
  const causes: FieldCause[] = [];
  if (rule.rule.trim() === '') causes.push(required(`${path}.rule`, 'rule is not specified'));
  else if (message !== '' && message.trim() === '')
    causes.push(invalid(`${path}.message`, message, 'must be non-empty if specified'));
  else if (message.trim().includes('\n'))
    causes.push(invalid(`${path}.message`, message, 'must not contain line breaks'));
  else if (rule.rule.trim().includes('\n') && message.trim() === '')
    causes.push(required(`${path}.message`, 'message must be specified if rule contains line breaks'));
  if (messageExpression !== '' && messageExpression.trim() === '')
    causes.push(required(`${path}.messageExpression`, 'messageExpression must be non-empty if specified'));
  if (reason !== undefined && !REASONS.includes(reason)) causes.push(notSupported(`${path}.reason`, reason, REASONS));
  if (fieldPath === '') return causes;
  if (fieldPath.trim() === '') causes.push(invalid(`${path}.fieldPath`, fieldPath, 'must be non-empty if specified'));
  if (fieldPath.includes('\n')) causes.push(invalid(`${path}.fieldPath`, fieldPath, 'must not contain line breaks'));
  if (!leadsSomewhere(schema, fieldPath)) causes.push(invalid(`${path}.fieldPath`, fieldPath, 'must be a valid path'));
  return causes;
}

function leadsSomewhere(schema: StructuralSchema, fieldPath: string): boolean {
  let place: StructuralSchema | undefined = schema;
  let rest = fieldPath;
  while (rest !== '' && place) {
    const step = /^\.([^.[\]]+)|^\['((?:[^'\\]|\\.)*)'\]/.exec(rest);
    if (!step) return false;
    rest = rest.slice(step[0].length);
    const name = step[1] ?? step[2]!.replace(/\\(.)/g, '$1');
    const more: StructuralSchema['additionalProperties'] = place.additionalProperties;
    if (place.properties) place = Object.hasOwn(place.properties, name) ? place.properties[name] : undefined;
    else place = typeof more === 'object' ? more : undefined;
  }
  return place !== undefined;
}

// The real server prints its own struct.
function inGo({ rule, message = '', messageExpression = '', reason, fieldPath = '', optionalOldSelf }: ValidationRule) {
  return {
    Rule: rule,
    Message: message,
    MessageExpression: messageExpression,
    Reason: reason ?? null,
    FieldPath: fieldPath,
    OptionalOldSelf: optionalOldSelf ?? null,
  };
}
