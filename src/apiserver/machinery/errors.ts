import type { StatusCause } from '../../kube/generated/types.ts';
import { ApiStatusError } from '../../kube/status.ts';
import type { FieldCause, GroupVersionKind } from '../schema/contract.ts';

/** Group and resource as error texts name them: `services`, `deployments.apps`. */
export interface GroupResource {
  readonly group: string;
  readonly resource: string;
}

const LOCK = 'the object has been modified; please apply your changes to the latest version and try again';

/** `deployments.apps`. */
export function printGroupResource({ group, resource }: GroupResource): string {
  return group === '' ? resource : `${resource}.${group}`;
}

const details = ({ group, resource }: GroupResource, name: string) => ({
  name,
  ...(group === '' ? {} : { group }),
  kind: resource,
});

/** 404 `services "x" not found`. */
export function notFound(type: GroupResource, name: string): ApiStatusError {
  return new ApiStatusError('NotFound', `${printGroupResource(type)} "${name}" not found`, details(type, name));
}

/** 409 `services "x" already exists`. */
export function alreadyExists(type: GroupResource, name: string, isBeingDeleted = false): ApiStatusError {
  const message = `${printGroupResource(type)} "${name}" already exists`;
  const text = isBeingDeleted ? `object is being deleted: ${message}` : message;
  return new ApiStatusError('AlreadyExists', text, details(type, name));
}

/** 409 `Operation cannot be fulfilled on services "x": ...`; the default text is that of a stale resourceVersion. */
export function conflict(type: GroupResource, name: string, text = LOCK): ApiStatusError {
  const message = `Operation cannot be fulfilled on ${printGroupResource(type)} "${name}": ${text}`;
  return new ApiStatusError('Conflict', message, details(type, name));
}

/** 403 `pods "x" is forbidden: ...`. */
export function forbiddenError(
  type: GroupResource,
  name: string,
  text: string,
  causes?: readonly StatusCause[],
): ApiStatusError {
  const subject = name === '' ? printGroupResource(type) : `${printGroupResource(type)} "${name}"`;
  const { name: _name, ...unnamed } = details(type, name);
  const where = name === '' ? unnamed : details(type, name);
  return new ApiStatusError('Forbidden', `${subject} is forbidden: ${text}`, { ...where, ...(causes && { causes }) });
}

/** 422 with one cause for each field; the message lists each distinct text once, as field error lists print. */
export function invalidObject(
  { group, kind }: Pick<GroupVersionKind, 'group' | 'kind'>,
  name: string,
  causes: readonly FieldCause[],
): ApiStatusError {
  const texts = [...new Set(causes.map(({ field, message }) => `${field}: ${message}`))];
  const list = texts.length === 1 ? texts[0] : `[${texts.join(', ')}]`;
  const qualified = group === '' ? kind : `${kind}.${group}`;
  return new ApiStatusError('Invalid', `${qualified} "${name}" is invalid: ${list}`, {
    ...(name === '' ? {} : { name }),
    ...(group === '' ? {} : { group }),
    ...(kind === '' ? {} : { kind }),
    causes,
  });
}

/** 405 `create is not supported on resources of kind "x"`. */
export function methodNotSupported(type: GroupResource, verb: string): ApiStatusError {
  const message = `${verb} is not supported on resources of kind "${printGroupResource(type)}"`;
  return new ApiStatusError('MethodNotAllowed', message, { group: type.group || undefined, kind: type.resource });
}

/** 404 for a path of a group that is served, where nothing is. */
export function noSuchResource(): ApiStatusError {
  return new ApiStatusError('NotFound', 'the server could not find the requested resource', {});
}

/** 410: the resourceVersion or continue token is older than the history kept. */
export function expired(message: string): ApiStatusError {
  return new ApiStatusError('Expired', message);
}

/** 400. */
export function badRequest(message: string): ApiStatusError {
  return new ApiStatusError('BadRequest', message);
}
