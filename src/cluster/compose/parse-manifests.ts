import { parseAllDocuments } from 'yaml';
import { UserError } from '../../errors/towtank-error.ts';
import type { KubeObject } from '../../kube/resources.ts';

/** A manifest that names what it is. */
export interface Manifest extends KubeObject {
  readonly apiVersion: string;
  readonly kind: string;
}

/** Reads YAML or JSON documents, Lists taken apart, empty documents left out. Throws UserError ERR_INVALID_MANIFEST that names the document. */
export function parseManifests(text: string): readonly Manifest[] {
  const documents = parseAllDocuments(text);
  return documents.flatMap((document, index) => {
    const where = documents.length === 1 ? 'the manifest' : `document ${index + 1}`;
    const [problem] = document.errors;
    if (problem) throw invalid(`${where}: ${problem.message}`);
    const value: unknown = document.toJS();
    return value === null || value === undefined ? [] : flatten(value, where);
  });
}

function flatten(value: unknown, where: string): readonly Manifest[] {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw invalid(`${where} is not an object`);
  const object = value as Partial<Manifest> & { readonly items?: unknown };
  if (typeof object.kind !== 'string') throw invalid(`${where} has no kind`);
  if (typeof object.apiVersion !== 'string') throw invalid(`${where} (${object.kind}) has no apiVersion`);
  if (!object.kind.endsWith('List') || !Array.isArray(object.items)) {
    if (typeof object.metadata?.name !== 'string') throw invalid(`${where} (${object.kind}) has no metadata.name`);
    return [object as Manifest];
  }
  return object.items.flatMap((item, index) => flatten(item, `${where}, items[${index}]`));
}

function invalid(message: string): UserError {
  return new UserError({
    code: 'ERR_INVALID_MANIFEST',
    message,
    hint: 'a manifest is what kubectl apply takes: apiVersion, kind, metadata.name',
  });
}
