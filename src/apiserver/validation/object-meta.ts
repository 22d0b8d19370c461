import type { ObjectMeta, OwnerReference } from '../../kube/generated/types.ts';
import type { FieldCause } from '../schema/contract.ts';
import { forbidden, invalid, invalidEach, joinPath, required, tooLong } from './field-errors.ts';
import { dns1123Label, forGeneratedNames, labelValue, pathSegment, qualifiedName, type TextRule } from './names.ts';

const MAX_ANNOTATION_BYTES = 256 * 1024;
const ORPHAN = 'orphan';
const FOREGROUND = 'foregroundDeletion';

export interface MetaRules {
  readonly namespaced: boolean;
  readonly name: TextRule;
}

/** What is wrong with an object's metadata, at creation and at every update. */
export function validateObjectMeta(meta: ObjectMeta, rules: MetaRules, path = 'metadata'): FieldCause[] {
  return [
    ...validateName(meta, rules.name, path),
    ...validateNamespace(meta.namespace ?? '', rules.namespaced, joinPath(path, 'namespace')),
    ...validateLabels(meta.labels, joinPath(path, 'labels')),
    ...validateAnnotations(meta.annotations, joinPath(path, 'annotations')),
    ...validateOwnerReferences(meta.ownerReferences ?? [], joinPath(path, 'ownerReferences')),
    ...validateFinalizers(meta.finalizers ?? [], joinPath(path, 'finalizers')),
  ];
}

/** Keys and values of a label map. */
export function validateLabels(labels: ObjectMeta['labels'], path: string): FieldCause[] {
  const causes: FieldCause[] = [];
  for (const key in labels) {
    causes.push(...invalidEach(path, key, qualifiedName(key)));
    causes.push(...invalidEach(path, labels[key], labelValue(labels[key] ?? '')));
  }
  return causes;
}

/** Keys and total size of annotations. */
export function validateAnnotations(annotations: ObjectMeta['annotations'], path: string): FieldCause[] {
  const causes: FieldCause[] = [];
  let size = 0;
  for (const key in annotations) {
    causes.push(...invalidEach(path, key, qualifiedName(key.toLowerCase())));
    size += Buffer.byteLength(key) + Buffer.byteLength(annotations[key] ?? '');
  }
  if (size > MAX_ANNOTATION_BYTES) causes.push(tooLong(path, MAX_ANNOTATION_BYTES));
  return causes;
}

/** What an update may not do to metadata. */
export function validateObjectMetaUpdate(meta: ObjectMeta, live: ObjectMeta): FieldCause[] {
  const causes: FieldCause[] = [];
  if (live.deletionTimestamp !== undefined) {
    const old = new Set(live.finalizers);
    const extra = [...new Set(meta.finalizers)].filter((finalizer) => !old.has(finalizer)).sort();
    if (extra.length > 0) {
      const list = extra.map((finalizer) => JSON.stringify(finalizer)).join(', ');
      const detail = `no new finalizers can be added if the object is being deleted, found new finalizers []string{${list}}`;
      causes.push(forbidden('metadata.finalizers', detail));
    }
  }
  for (const field of ['name', 'namespace', 'uid', 'creationTimestamp', 'deletionTimestamp'] as const) {
    if ((meta[field] ?? '') !== (live[field] ?? '')) {
      causes.push(invalid(`metadata.${field}`, meta[field] ?? null, 'field is immutable'));
    }
  }
  if (meta.deletionGracePeriodSeconds !== live.deletionGracePeriodSeconds) {
    const value = meta.deletionGracePeriodSeconds ?? null;
    causes.push(invalid('metadata.deletionGracePeriodSeconds', value, 'field is immutable'));
  }
  return causes;
}

function validateName(meta: ObjectMeta, rule: TextRule, path: string): FieldCause[] {
  const causes: FieldCause[] = [];
  if (meta.generateName) {
    const messages = forGeneratedNames(rule)(meta.generateName);
    causes.push(...invalidEach(joinPath(path, 'generateName'), meta.generateName, messages));
  }
  const at = joinPath(path, 'name');
  if (!meta.name) return [...causes, required(at, 'name or generateName is required')];
  const messages = rule === pathSegment ? [] : pathSegment(meta.name);
  return [...causes, ...invalidEach(at, meta.name, [...rule(meta.name), ...messages])];
}

function validateNamespace(namespace: string, namespaced: boolean, path: string): FieldCause[] {
  if (!namespaced) return namespace === '' ? [] : [forbidden(path, 'not allowed on this type')];
  return namespace === '' ? [required(path)] : invalidEach(path, namespace, dns1123Label(namespace));
}

function validateOwnerReferences(references: readonly OwnerReference[], path: string): FieldCause[] {
  const causes = references.flatMap((reference) => validateOwnerReference(reference, path));
  const controllers = references.filter(({ controller }) => controller === true);
  for (const controller of controllers.slice(1)) {
    const names = [controllers[0]!, controller].map(({ kind, name }) => `${kind}/${name}`).join(' and ');
    const detail = `Only one reference can have Controller set to true. Found "true" in references for ${names}`;
    causes.push(invalid(path, references, detail));
  }
  return causes;
}

function validateOwnerReference({ apiVersion, kind, name, uid }: OwnerReference, path: string): FieldCause[] {
  const causes: FieldCause[] = [];
  if (!apiVersion) causes.push(invalid(joinPath(path, 'apiVersion'), apiVersion ?? '', 'version must not be empty'));
  if (!kind) causes.push(invalid(joinPath(path, 'kind'), kind ?? '', 'must not be empty'));
  if (!name) causes.push(invalid(joinPath(path, 'name'), name ?? '', 'must not be empty'));
  if (!uid) causes.push(invalid(joinPath(path, 'uid'), uid ?? '', 'must not be empty'));
  if (apiVersion === 'v1' && kind === 'Event') {
    const detail = '/v1, Kind=Event is disallowed from being an owner';
    causes.push(invalid(path, { apiVersion, kind, name, uid }, detail));
  }
  return causes;
}

function validateFinalizers(finalizers: readonly string[], path: string): FieldCause[] {
  const causes = finalizers.flatMap((finalizer) => invalidEach(path, finalizer, qualifiedName(finalizer)));
  if (finalizers.includes(ORPHAN) && finalizers.includes(FOREGROUND)) {
    causes.push(invalid(path, finalizers, `finalizer ${ORPHAN} and ${FOREGROUND} cannot be both set`));
  }
  return causes;
}
