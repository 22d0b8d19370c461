import type { FieldError } from '../../kube/field-error.ts';
import { ApiStatusError } from '../../kube/status.ts';

/** What is wrong with a Service, on its way to the one place that makes a 422 of it. */
export class FieldFailure extends Error {
  readonly errors: readonly FieldError[];
  constructor(errors: readonly FieldError[]) {
    super('the Service has invalid fields');
    this.errors = errors;
  }
}

/** 500 as the real server words it. */
export function internalError(message: string): ApiStatusError {
  return new ApiStatusError('InternalError', `Internal error occurred: ${message}`, {
    causes: [{ reason: '', message, field: '' }],
  });
}
