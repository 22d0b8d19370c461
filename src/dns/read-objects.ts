import { UserError } from '../errors/towtank-error.ts';
import { checkShape, isRecord, withoutNulls } from '../kube/object-shape.ts';
import type { KubeObject } from '../kube/resources.ts';
import { SHAPES } from './object-shapes.ts';
import { splitList } from './split-list.ts';
import { PackedObjects } from './zone/packed-objects.ts';

const OPENING_BRACE = 0x7b;

interface Place {
  readonly file: string;
  readonly line: number;
}

/**
 * Reads objects as kubectl prints them: YAML of one or many documents, or JSON; Lists are opened, and of each object of
 * a kind that DNS reads there is what it reads. Rejects with ERR_INVALID_MANIFEST that names file, line of the document, and the field.
 */
export async function readObjects(content: Buffer, file: string): Promise<PackedObjects> {
  const objects = readJson(content, { file, line: 1 });
  if (objects !== undefined) return objects;
  const into = new PackedObjects();
  await readYaml(content.toString(), { file, into });
  return into;
}

// As YAML a large list takes a hundred times as long and as much memory. What is no JSON is left to it, errors too.
function readJson(content: Buffer, place: Place): PackedObjects | undefined {
  const list = content[0] === OPENING_BRACE ? splitList(content) : undefined;
  if (list === undefined) return undefined;
  try {
    const { kind } = JSON.parse(list.rest) as { readonly kind?: unknown };
    if (typeof kind !== 'string' || !kind.endsWith('List')) return undefined;
    const where = { place, into: new PackedObjects(), listKind: kind.slice(0, -'List'.length) };
    for (const item of list.items) openList(JSON.parse(item), where);
    return where.into;
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

async function readYaml(
  text: string,
  { file, into }: { readonly file: string; readonly into: PackedObjects },
): Promise<void> {
  const { LineCounter, parseAllDocuments } = await import('yaml');
  const lines = new LineCounter();
  const documents = parseAllDocuments(text, { lineCounter: lines });
  for (const document of Array.isArray(documents) ? documents : []) {
    const [error] = document.errors;
    if (error !== undefined) throw invalid({ file, line: error.linePos?.[0].line ?? 1 }, error.message);
    const { line } = lines.linePos(document.contents?.range?.[0] ?? 0);
    openList(document.toJS(), { place: { file, line }, into });
  }
}

function openList(
  value: unknown,
  { place, into, listKind = '' }: { readonly place: Place; readonly into: PackedObjects; readonly listKind?: string },
): void {
  if (value === null || value === undefined) return;
  if (!isRecord(value)) throw invalid(place, 'no Kubernetes object');
  // Items of a typed list carry no kind of their own.
  const kind = typeof value['kind'] === 'string' ? value['kind'] : listKind;
  if (kind === '') throw invalid(place, 'an object without a kind');
  if (!kind.endsWith('List')) {
    keepObject({ ...value, kind }, { place, into });
    return;
  }
  const { items = [] } = value;
  if (!Array.isArray(items)) throw invalid(place, `items of a ${kind} must be a list`);
  for (const item of items) openList(item, { place, into, listKind: kind.slice(0, -'List'.length) });
}

function keepObject(
  value: Record<string, unknown> & { readonly kind: string },
  { place, into }: { readonly place: Place; readonly into: PackedObjects },
): void {
  const shape = Object.hasOwn(SHAPES, value.kind) ? SHAPES[value.kind] : undefined;
  if (shape === undefined) return;
  const problem = checkShape(value, shape, '');
  const object = withoutNulls(value) as KubeObject;
  const { name, namespace = 'default' } = object.metadata ?? {};
  if (problem !== undefined) throw invalid(place, `${value.kind} ${name ?? ''}: ${problem}`);
  if (name === undefined) throw invalid(place, `${value.kind} without a name`);
  const placed = value.kind === 'Namespace' ? object : { ...object, metadata: { ...object.metadata, namespace } };
  into.add(placed);
}

function invalid({ file, line }: Place, message: string): UserError {
  return new UserError({
    code: 'ERR_INVALID_MANIFEST',
    message: `${file}:${line}: ${message}`,
    hint: 'Expected is what `kubectl get namespaces,services,endpointslices,pods -A -o yaml` prints.',
  });
}
