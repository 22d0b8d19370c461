import type { LabelSelector, LabelSelectorRequirement } from '../../kube/generated/types.ts';
import type { FieldCause } from '../schema/contract.ts';
import { forbidden, invalid, invalidEach, joinPath, required } from './field-errors.ts';
import { labelValue, qualifiedName } from './names.ts';
import { validateLabels } from './object-meta.ts';

/** What is wrong with a LabelSelector object. */
export function validateLabelSelector(selector: LabelSelector | null | undefined, path: string): FieldCause[] {
  // A required selector that nobody gave is null, as Go prints it.
  if (selector === undefined || selector === null) return [];
  return [
    ...validateLabels(selector.matchLabels, joinPath(path, 'matchLabels')),
    ...(selector.matchExpressions ?? []).flatMap((requirement, i) =>
      validateRequirement(requirement, joinPath(joinPath(path, 'matchExpressions'), i)),
    ),
  ];
}

function validateRequirement({ key, operator, values = [] }: LabelSelectorRequirement, path: string): FieldCause[] {
  const causes: FieldCause[] = [];
  if (operator === 'In' || operator === 'NotIn') {
    const detail = "must be specified when `operator` is 'In' or 'NotIn'";
    if (values.length === 0) causes.push(required(joinPath(path, 'values'), detail));
  } else if (operator === 'Exists' || operator === 'DoesNotExist') {
    const detail = "may not be specified when `operator` is 'Exists' or 'DoesNotExist'";
    if (values.length > 0) causes.push(forbidden(joinPath(path, 'values'), detail));
  } else {
    causes.push(invalid(joinPath(path, 'operator'), operator, 'not a valid selector operator'));
  }
  causes.push(...invalidEach(joinPath(path, 'key'), key, qualifiedName(key ?? '')));
  values.forEach((value, i) => {
    causes.push(...invalidEach(joinPath(joinPath(path, 'values'), i), value, labelValue(value)));
  });
  return causes;
}
