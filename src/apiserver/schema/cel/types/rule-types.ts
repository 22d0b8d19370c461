import type { StructuralSchema } from '../../custom/structural-schema.ts';
import { withTypeAndMetadata } from '../object-values.ts';
import { parseExpression } from '../parse-expression.ts';
import { SourceProblem } from '../rule-problem.ts';
import { type CelType, isSimple, optionalOf, typeOfSchema } from './cel-type.ts';
import { checkTypes, type TypeScope } from './check-types.ts';

/** What `self` and `oldSelf` are in the rules at a schema; undefined where they cannot be told. */
export function ruleScope(
  schema: StructuralSchema,
  isRoot: boolean,
  hasOptionalOldSelf: boolean,
): TypeScope | undefined {
  const self = typeOfSchema(isRoot ? withTypeAndMetadata(schema) : schema, 'selfType');
  return (
    self &&
    new Map([
      ['self', self],
      ['oldSelf', hasOptionalOldSelf ? optionalOf(self) : self],
    ])
  );
}

/** Why a text that compiles cannot be what it has to be, a `bool` or a `string`; undefined when it can. */
export function typeProblem(source: string, scope: TypeScope, wanted: 'bool' | 'string'): string | undefined {
  const { type, problems } = checkTypes(parseExpression(source), scope);
  if (problems.length > 0) {
    const lines = problems.map(({ at, text }) => new SourceProblem(source, at, text).message);
    return `${wanted === 'bool' ? '' : 'messageExpression '}compilation failed: ${lines.join('\n')}`;
  }
  if (isWanted(type, wanted)) return undefined;
  return wanted === 'bool' ? 'cel expression must evaluate to a bool' : 'messageExpression must evaluate to a string';
}

const isWanted = (type: CelType, wanted: string): boolean => type.kind === 'unknown' || isSimple(type, wanted);
