import { isJsonObject, own } from '../../patch/json-value.ts';
import type { FieldCause } from '../contract.ts';
import { hasRules } from '../custom/has-rules.ts';
import { previousItem } from '../custom/previous-item.ts';
import type { StructuralSchema } from '../custom/structural-schema.ts';
import { Correlation } from './correlation.ts';
import { Budget, evaluateRules } from './evaluate-rules.ts';
import { withTypeAndMetadata } from './object-values.ts';

/** What the rules of a schema say about an object. */
export interface RuleFindings {
  readonly causes: readonly FieldCause[];
  /** What is wrong, but was so before and stays allowed: texts of warnings. */
  readonly warnings: readonly string[];
}

/** Evaluates all `x-kubernetes-validations` of a CRD's schema; `previous` is undefined for a creation. */
export function validateRules(schema: StructuralSchema, object: unknown, previous: unknown): RuleFindings {
  const walk = new Walk();
  const correlation = Correlation.ofObject(schema, object, previous);
  walk.visit({ rules: schema, node: schema, path: '', isRoot: true }, { now: object, before: previous, correlation });
  return walk;
}

/** A place in a schema. Rules below allOf are apart from the schema that describes their values. */
interface Place {
  readonly rules: StructuralSchema;
  readonly node: StructuralSchema;
  readonly path: string;
  readonly isRoot?: boolean;
}

/** What stands there. */
interface Subject {
  readonly now: unknown;
  readonly before: unknown;
  readonly correlation: Correlation;
}

class Walk implements RuleFindings {
  readonly causes: FieldCause[] = [];
  readonly warnings: string[] = [];
  readonly #budget = new Budget();

  visit(place: Place, subject: Subject): void {
    const { now, correlation } = subject;
    // What is null is judged from above.
    if (now === null || now === undefined || !hasRules(place.rules) || this.#budget.isExhausted) return;
    this.#evaluate(place, subject);
    for (const alternative of place.rules.allOf ?? [])
      this.visit({ ...place, rules: alternative }, { ...subject, correlation: correlation.alternative() });
    if (Array.isArray(now)) this.#visitItems(place, subject, now);
    else if (isJsonObject(now)) this.#visitFields(place, subject, now);
  }

  #evaluate({ rules, node, path, isRoot }: Place, { now, before, correlation }: Subject): void {
    const schema = isRoot ? withTypeAndMetadata(node) : node;
    for (const { cause, comparesWithPast } of evaluateRules(
      { rules, schema, path },
      { now, before, budget: this.#budget },
    )) {
      if (!comparesWithPast && correlation.isUnchanged()) this.warnings.push(`${cause.field}: ${cause.message}`);
      else this.causes.push(cause);
    }
  }

  #visitItems({ rules, node, path }: Place, { before, correlation }: Subject, items: readonly unknown[]): void {
    const below = rules.items;
    if (!below || !node.items) return;
    items.forEach((item, index) => {
      const place = { rules: below, node: node.items!, path: `${path}[${index}]` };
      this.visit(place, {
        now: item,
        before: previousItem(node, item, before),
        correlation: correlation.item(index),
      });
    });
  }

  #visitFields(
    { rules, node, path }: Place,
    { before, correlation }: Subject,
    fields: Readonly<Record<string, unknown>>,
  ): void {
    const more = typeof rules.additionalProperties === 'object' ? rules.additionalProperties : undefined;
    const nodeMore = typeof node.additionalProperties === 'object' ? node.additionalProperties : undefined;
    for (const [name, now] of Object.entries(fields)) {
      const subject = {
        now,
        before: isJsonObject(before) ? own(before, name) : undefined,
        correlation: correlation.field(name),
      };
      const known = own(rules.properties ?? {}, name) as StructuralSchema | undefined;
      const nodeKnown = own(node.properties ?? {}, name) as StructuralSchema | undefined;
      if (more && nodeMore) this.visit({ rules: more, node: nodeMore, path: `${path}[${name}]` }, subject);
      if (known && nodeKnown)
        this.visit({ rules: known, node: nodeKnown, path: path === '' ? name : `${path}.${name}` }, subject);
    }
  }
}
