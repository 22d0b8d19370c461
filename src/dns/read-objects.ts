import { UserError } from '../errors/towtank-error.ts';
import type { KubeObject } from '../kube/resources.ts';

/**
 * Reads objects as kubectl prints them: YAML of one or many documents, or JSON; Lists are opened. Rejects with
 * ERR_INVALID_MANIFEST that names file and line.
 */
export async function readObjects(text: string, file: string): Promise<readonly KubeObject[]> {
  const { parseAllDocuments } = await import('yaml');
  const documents = parseAllDocuments(text);
  const objects: KubeObject[] = [];
  for (const document of Array.isArray(documents) ? documents : []) {
    const [error] = document.errors;
    if (error !== undefined) throw invalid(file, error.linePos?.[0].line ?? 1, error.message);
    const value: unknown = document.toJS();
    if (value !== null && value !== undefined) objects.push(...openList(value, file));
  }
  return objects;
}

function openList(value: unknown, file: string): readonly KubeObject[] {
  const { kind, items } = value as { kind?: unknown; items?: unknown };
  if (typeof value !== 'object' || typeof kind !== 'string') throw invalid(file, 1, 'an object without a kind');
  if (!kind.endsWith('List') || !Array.isArray(items)) return [value as KubeObject];
  // Items of a typed list carry no kind of their own.
  const own = kind.slice(0, -'List'.length);
  return items.flatMap((item: KubeObject) => openList(item.kind === undefined ? { ...item, kind: own } : item, file));
}

function invalid(file: string, line: number, message: string): UserError {
  return new UserError({
    code: 'ERR_INVALID_MANIFEST',
    message: `${file}:${line}: ${message}`,
    hint: 'Expected is what `kubectl get namespaces,services,endpointslices,pods -A -o yaml` prints.',
  });
}
