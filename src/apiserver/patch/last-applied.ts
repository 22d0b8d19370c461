import type { KubeObject } from '../../kube/resources.ts';
import type { FieldWriter, ServerSideApplyRequest } from './contract.ts';
import { withoutManagedFields } from './field-manager.ts';
import { typedProblem } from './fields/check-typed.ts';
import { compareValues } from './fields/compare-values.ts';
import type { FieldSet } from './fields/field-set.ts';
import { toFieldSet } from './fields/to-field-set.ts';
import { isJsonObject } from './json-value.ts';

const LAST_APPLIED = 'kubectl.kubernetes.io/last-applied-configuration';
const MAX_ANNOTATIONS = 256 << 10;

/**
 * Fields that kubectl set by client-side apply and that are still as it set them: going over to server-side apply, it takes
 * them without a conflict. Undefined when the object does not tell.
 */
export function unchangedSinceLastApplied({ live, schema }: ServerSideApplyRequest): FieldSet | undefined {
  const text = live?.metadata?.annotations?.[LAST_APPLIED];
  if (live === undefined || !text) return undefined;
  const last = parse(text);
  if (last === undefined || last['apiVersion'] !== live.apiVersion) return undefined;
  if (typedProblem(schema.node, last, false) !== undefined) return undefined;
  const { added, modified, removed } = compareValues(schema.node, last, withoutManagedFields(live));
  return toFieldSet(schema.node, last).difference(modified).difference(added).difference(removed);
}

function parse(text: string): Readonly<Record<string, unknown>> | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return isJsonObject(value) ? value : undefined;
  } catch {
    // The annotation is the user's; one that cannot be read tells nothing, as upstream has it.
    return undefined;
  }
}

/** Keeps the annotation of client-side apply in step while kubectl applies on the server, so that it can go back. */
export function withLastApplied(object: KubeObject, applied: KubeObject, { manager }: FieldWriter): KubeObject {
  const annotations = object.metadata?.annotations;
  if (manager !== 'kubectl' || !annotations?.[LAST_APPLIED]) return object;
  const updated = { ...annotations, [LAST_APPLIED]: lastApplied(applied) };
  const size = Object.entries(updated).reduce(
    (sum, [key, value]) => sum + Buffer.byteLength(key) + Buffer.byteLength(value),
    0,
  );
  const { [LAST_APPLIED]: _tooLarge, ...rest } = updated;
  return { ...object, metadata: { ...object.metadata, annotations: size > MAX_ANNOTATIONS ? rest : updated } };
}

function lastApplied(applied: KubeObject): string {
  const { annotations, ...metadata } = applied.metadata ?? {};
  if (annotations === undefined) return `${JSON.stringify(sorted(applied))}\n`;
  const { [LAST_APPLIED]: _self, ...others } = annotations;
  return `${JSON.stringify(sorted({ ...applied, metadata: { ...metadata, annotations: others } }))}\n`;
}

function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (!isJsonObject(value)) return value;
  const keys = Object.keys(value).sort();
  return Object.fromEntries(keys.map((key) => [key, sorted(value[key])]));
}
