import type { DeleteOptions } from '../../kube/generated/types.ts';
import { badRequest, invalidObject } from '../machinery/errors.ts';
import type { FieldValidation, RequestContext } from '../machinery/machinery.ts';
import type { FieldCause } from '../schema/contract.ts';
import { forbidden, invalid, notSupported, required, tooLong } from '../validation/field-errors.ts';
import type { ApiRequest } from './api-request.ts';

type OptionsKind = 'CreateOptions' | 'UpdateOptions' | 'PatchOptions' | 'DeleteOptions';

const MAX_MANAGER = 128;
const DIRECTIVES = ['', 'Ignore', 'Strict', 'Warn'];
// Upstream prints its set sorted, the empty text first.

/** What the query says about a write. Throws ApiStatusError Invalid with the real server's causes. */
export function readContext(request: ApiRequest, kind: OptionsKind, isApply = false): RequestContext {
  const { query, caller, warnings } = request;
  const dryRun = query.getAll('dryRun');
  const manager = query.get('fieldManager') ?? '';
  const fieldValidation = query.get('fieldValidation') ?? '';
  const causes = [
    ...(kind === 'PatchOptions' ? validateForce(query, manager, isApply) : []),
    ...validateManager(manager),
    ...validateDryRun(dryRun),
    ...(DIRECTIVES.includes(fieldValidation) ? [] : [notSupported('fieldValidation', fieldValidation, DIRECTIVES)]),
  ];
  if (causes.length > 0) throw invalidObject({ group: 'meta.k8s.io', kind }, '', causes);
  return {
    caller,
    manager: manager || managerOf(request.headers['user-agent']),
    dryRun: dryRun.length > 0,
    fieldValidation: (fieldValidation || 'Warn') as FieldValidation,
    warn: (text) => void (warnings.includes(text) || warnings.push(text)),
    authorizeCreate: request.authorizeCreate,
  };
}

/** Delete options of the query, where the body has none. */
export function deleteOptionsOfQuery(query: URLSearchParams): DeleteOptions {
  const grace = query.get('gracePeriodSeconds');
  const policy = query.get('propagationPolicy');
  const orphan = query.get('orphanDependents');
  const dryRun = query.getAll('dryRun');
  return {
    ...(grace === null ? {} : { gracePeriodSeconds: readInteger(grace) }),
    ...(policy === null ? {} : { propagationPolicy: policy }),
    ...(orphan === null ? {} : { orphanDependents: readBoolean(orphan) }),
    ...(dryRun.length > 0 ? { dryRun } : {}),
  };
}

/** A dryRun list as the options kinds check it. */
export function validateDryRun(values: readonly string[]): FieldCause[] {
  return values.some((value) => value !== 'All') ? [notSupported('dryRun', values, ['All'])] : [];
}

/** A whole number of a query; throws ApiStatusError BadRequest as the real server's parameter codec does. */
export function readInteger(text: string): number {
  if (/^[+-]?\d{1,18}$/.test(text)) return Number(text);
  const problem = /^[+-]?\d+$/.test(text) ? 'value out of range' : 'invalid syntax';
  throw badRequest(`strconv.ParseInt: parsing ${JSON.stringify(text)}: ${problem}`);
}

/** A boolean of a query: everything but `false` and `0` is true. */
export function readBoolean(text: string): boolean {
  return text !== 'false' && text !== '0';
}

function managerOf(userAgent: string | undefined): string {
  return (userAgent ?? '').split('/')[0]!.slice(0, MAX_MANAGER) || 'unknown';
}

function validateForce(query: URLSearchParams, manager: string, isApply: boolean): FieldCause[] {
  if (isApply) return manager === '' ? [required('fieldManager', 'is required for apply patch')] : [];
  return query.has('force') ? [forbidden('force', 'may not be specified for non-apply patch')] : [];
}

function validateManager(manager: string): FieldCause[] {
  if (Buffer.byteLength(manager) > MAX_MANAGER) return [tooLong('fieldManager', MAX_MANAGER)];
  for (const [i, character] of [...manager].entries()) {
    if (/[\p{C}\p{Zl}\p{Zp}]/u.test(character) && character !== ' ') {
      return [
        invalid(
          'fieldManager',
          manager,
          `should only contain printable characters, got invalid character at index ${i}`,
        ),
      ];
    }
  }
  return [];
}
