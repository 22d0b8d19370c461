import { ApiStatusError } from '../../kube/status.ts';
import type { GroupVersionKind } from './contract.ts';

/** What `apiVersion` and `kind` of a body say. */
export interface TypeMeta {
  readonly apiVersion: string;
  readonly kind: string;
}

/** 400 for a body whose kind could not even be read. */
export function unrecognized(expected: GroupVersionKind, problem: string, body: Buffer): ApiStatusError {
  return new ApiStatusError(
    'BadRequest',
    `the object provided is unrecognized (must be of type ${expected.kind}): ${problem} (${summary(body)})`,
  );
}

/** 400 for a body that says what it is and cannot be decoded as that, or is no `expected`. */
export function cannotBeHandled(given: GroupVersionKind, expected: GroupVersionKind, problem: string): ApiStatusError {
  return new ApiStatusError(
    'BadRequest',
    `${given.kind} in version "${given.version}" cannot be handled as a ${expected.kind}: ${problem}`,
  );
}

/** 400 for the right kind in another version than the path says. */
export function wrongVersion(given: string, expected: GroupVersionKind): ApiStatusError {
  const version = expected.group === '' ? expected.version : `${expected.group}/${expected.version}`;
  return new ApiStatusError(
    'BadRequest',
    `the API version in the data (${given}) does not match the expected API version (${version})`,
  );
}

const LONGEST = 30;

function summary(body: Buffer): string {
  if (body.length === 0) return '<empty>';
  const start = body.subarray(0, LONGEST);
  return (body[0] === 0x7b ? start.toString() : start.toString('hex')) + (body.length > LONGEST ? ' ...' : '');
}

/** Reads apiVersion and kind as Go does, whose decoder does not mind upper and lower case here. Throws its complaint as an Error. */
export function typeMetaOf(value: unknown): TypeMeta {
  const meta = { apiVersion: '', kind: '' };
  if (value === null) return meta;
  const type =
    'struct { APIVersion string "json:\\"apiVersion,omitempty\\""; Kind string "json:\\"kind,omitempty\\"" }';
  if (typeof value !== 'object' || Array.isArray(value))
    throw parseError(`${kindOf(value)} into Go value of type ${type}`);
  for (const [key, inner] of Object.entries(value)) {
    const lower = key.toLowerCase();
    const field = lower === 'kind' ? 'kind' : lower === 'apiversion' ? 'apiVersion' : undefined;
    if (field === undefined || inner === null || inner === undefined) continue;
    if (typeof inner !== 'string') throw parseError(`${kindOf(inner)} into Go struct field .${field} of type string`);
    meta[field] = inner;
  }
  return meta;
}

const parseError = (problem: string): Error =>
  new Error(`couldn't get version/kind; json parse error: json: cannot unmarshal ${problem}`);

function kindOf(value: unknown): string {
  if (Array.isArray(value)) return 'array';
  return typeof value === 'boolean' ? 'bool' : typeof value;
}

/** Fills what the body leaves open from what is expected. Throws Go's complaint about a group version with two slashes. */
export function groupVersionKindOf({ apiVersion, kind }: TypeMeta, expected: GroupVersionKind): GroupVersionKind {
  const parts = apiVersion.split('/');
  if (parts.length > 2) throw new Error(`unexpected GroupVersion string: ${apiVersion}`);
  const [group, version] = parts.length === 2 ? [parts[0]!, parts[1]!] : ['', apiVersion];
  const filled = kind === '' ? expected.kind : kind;
  if (version === '' && (group === '' || group === expected.group))
    return { group: expected.group, version: expected.version, kind: filled };
  return { group, version, kind: filled };
}

const YAML_ERRORS = 'yaml: unmarshal errors:\n';

/** The warnings that say the same as a field error: a complaint about YAML becomes one for each line. */
export function yamlWarnings(error: string): string[] {
  if (!error.startsWith(YAML_ERRORS)) return [error];
  return error
    .slice(YAML_ERRORS.length)
    .split('\n')
    .map((line) => line.trim());
}
