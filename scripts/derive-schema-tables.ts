// Derives src/apiserver/schema/generated/tables.json from the published Kubernetes schema, its protobuf field numbers
// (both in shared/data) and facts of the Go types (scripts/facts): one compact table that serves decoding, patches,
// protobuf, discovery and OpenAPI. Its form is described by src/apiserver/schema/tables.ts.
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';

interface Swagger {
  readonly definitions: Readonly<Record<string, Definition>>;
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
}
interface Definition {
  readonly $ref?: string;
  readonly properties?: Readonly<Record<string, Definition>>;
  readonly required?: readonly string[];
  readonly 'x-kubernetes-list-type'?: string;
  readonly 'x-kubernetes-list-map-keys'?: readonly string[];
  readonly 'x-kubernetes-map-type'?: string;
  readonly 'x-kubernetes-patch-strategy'?: string;
  readonly 'x-kubernetes-patch-merge-key'?: string;
  readonly 'x-kubernetes-unions'?: unknown;
  readonly 'x-kubernetes-group-version-kind'?: readonly Gvk[];
}
interface Gvk {
  readonly group: string;
  readonly version: string;
  readonly kind: string;
}
interface Operation {
  readonly 'x-kubernetes-action'?: string;
  readonly 'x-kubernetes-group-version-kind'?: Gvk;
}
interface GoFieldFacts {
  readonly default?: unknown;
  readonly enum?: readonly string[];
  readonly itemEnum?: readonly string[];
}
type GoField = readonly [name: string, type: string, flags?: string, more?: GoFieldFacts];

const root = new URL('..', import.meta.url);
const data = process.argv[2] ?? new URL('../shared/data/', root).pathname;
const read = <T>(path: string): T => JSON.parse(readFileSync(path, 'utf8')) as T;
const swagger = read<Swagger>(`${data}/kubernetes-openapi-v2.json`);
const messages = read<{ messages: Record<string, [string, number, string, string?][]> }>(
  `${data}/kubernetes-protobuf-fields.json`,
).messages;
const go = read<{ internalPackages: Record<string, string>; types: Record<string, GoField[]> }>(
  new URL('scripts/facts/kubernetes-go-types.json', root).pathname,
);

const apimachinery = 'io.k8s.apimachinery.pkg.';
const apiextensions = 'io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.';
const special: Readonly<Record<string, string>> = {
  [`${apimachinery}apis.meta.v1.Time`]: 'T',
  [`${apimachinery}apis.meta.v1.MicroTime`]: 'M',
  [`${apimachinery}api.resource.Quantity`]: 'Q',
  [`${apimachinery}util.intstr.IntOrString`]: 'I',
  [`${apimachinery}runtime.RawExtension`]: 'R',
  [`${apimachinery}apis.meta.v1.FieldsV1`]: 'F',
  [`${apiextensions}JSON`]: 'J',
  [`${apiextensions}JSONSchemaPropsOrArray`]: 'J',
  [`${apiextensions}JSONSchemaPropsOrBool`]: 'J',
  [`${apiextensions}JSONSchemaPropsOrStringArray`]: 'J',
};
const names = Object.keys(go.types).filter((name) => special[name] === undefined);
const indexOf = new Map(names.map((name, index) => [name, index]));
const packageOf = (name: string): string => name.slice(0, name.lastIndexOf('.'));
/** `io.k8s.api.core.v1.ServicePort` prints as `v1.ServicePort` in Go's error texts. */
const goName = (name: string): string => name.split('.').slice(-2).join('.');

const scalars: Readonly<Record<string, string>> = {
  string: 's',
  int32: 'i',
  int64: 'l',
  int: 'l',
  float64: 'd',
  bool: 'b',
};

/** Go type to type code (see tables.ts); `own` is the package that unqualified names belong to. */
function typeCode(type: string, own: string): string {
  const named = /^([\w.-]+)=(.+)$/.exec(type);
  if (named) {
    const name = named[1]!.startsWith('io.') ? named[1]! : `${own}.${named[1]!}`;
    return `@${goName(name)}=${typeCode(named[2]!, packageOf(name))}`;
  }
  if (type.startsWith('*')) return typeCode(type.slice(1), own);
  if (type === '[]uint8') return 'y';
  if (type.startsWith('[]')) return `[${type[2] === '*' ? '*' : ''}${typeCode(type.slice(2), own)}`;
  const map = /^map\[([^\]]+)\](.+)$/.exec(type);
  if (map) return `{${mapKey(map[1]!, own)}${typeCode(map[2]!, own)}`;
  if (scalars[type] !== undefined) return scalars[type];
  const name = type.startsWith('io.') ? type : `${own}.${type}`;
  const index = indexOf.get(name);
  if (special[name] !== undefined) return special[name];
  if (index === undefined) throw new Error(`unknown Go type ${type} in ${own}`);
  return `#${index}`;
}
function mapKey(type: string, own: string): string {
  if (type === 'string') return '';
  const name = type.split('=')[0]!;
  return `${goName(name.startsWith('io.') ? name : `${own}.${name}`)}>`;
}

interface Field {
  readonly name: string;
  readonly go: GoField;
  readonly own: string;
  /** The embedded structs on the way to it, joined by dots; error texts name them. */
  readonly via: string;
}
/** The fields as they stand in JSON: those of inlined structs in their place. */
function flatten(name: string, via: readonly string[] = []): Field[] {
  return go.types[name]!.flatMap((field) =>
    field[2]?.includes('i')
      ? flatten(qualified(field[1], name), [...via, field[0]])
      : [{ name: field[0], go: field, own: packageOf(name), via: via.join('.') }],
  );
}
const qualified = (type: string, owner: string): string => {
  const plain = type.replace(/^\*/, '');
  return plain.startsWith('io.') ? plain : `${packageOf(owner)}.${plain}`;
};

function fieldRow(struct: string, field: Field): unknown[] {
  const [, type, flags = '', facts = {}] = field.go;
  const schema = swagger.definitions[struct]?.properties?.[field.name] ?? {};
  const pointer = type.startsWith('*');
  const bits =
    (pointer ? 1 : 0) +
    (flags.includes('e') ? 2 : 0) +
    (flags.includes('z') ? 4 : 0) +
    (swagger.definitions[struct]?.required?.includes(field.name) ? 8 : 0);
  const number = messages[struct.replace('io.k8s.', 'k8s.io.')]?.find(
    ([name]) => name.toLowerCase() === field.name.toLowerCase(),
  )?.[1];
  const more = {
    list: schema['x-kubernetes-list-type'],
    keys: schema['x-kubernetes-list-map-keys'],
    map: schema['x-kubernetes-map-type'],
    strategy: schema['x-kubernetes-patch-strategy'],
    merge: schema['x-kubernetes-patch-merge-key'],
    ...facts,
    via: field.via === '' ? undefined : field.via,
  };
  const row: unknown[] = [field.name, typeCode(type, field.own), number ?? 0, bits];
  return Object.values(more).some((value) => value !== undefined) ? [...row, more] : row;
}

function structRow(name: string): object {
  const definition = swagger.definitions[name];
  const inlined = go.types[name]!.flatMap((field) => {
    const message = messages[name.replace('io.k8s.', 'k8s.io.')];
    if (!field[2]?.includes('i') || message === undefined) return [];
    const target = qualified(field[1], name);
    const number = message.find(([, , type]) => type.split('.').at(-1) === target.split('.').at(-1))?.[1];
    return number === undefined ? [] : [[number, indexOf.get(target)]];
  });
  return {
    name,
    fields: flatten(name).map((field) => fieldRow(name, field)),
    ...(inlined.length > 0 ? { inlined } : {}),
    ...(definition?.['x-kubernetes-map-type'] ? { map: definition['x-kubernetes-map-type'] } : {}),
    ...(definition?.['x-kubernetes-unions'] ? { unions: definition['x-kubernetes-unions'] } : {}),
    ...(definition ? {} : { unpublished: 1 }),
  };
}

const verbOf: Readonly<Record<string, readonly string[]>> = {
  get: ['get'],
  list: ['list', 'watch'],
  post: ['create'],
  put: ['update'],
  patch: ['patch'],
  delete: ['delete'],
  deletecollection: ['deletecollection'],
  connect: ['connect'],
};
interface Resource {
  readonly row: [string, string, string, string, 0 | 1, string];
  readonly verbs: Set<string>;
}
function resourceRows(): unknown[][] {
  const found = new Map<string, Resource>();
  for (const [path, operations] of Object.entries(swagger.paths)) {
    const match =
      /^\/(?:api|apis\/([^/]+))\/(v[^/]+)\/(namespaces\/\{namespace\}\/)?([a-z]+)(?:\/\{name\}(?:\/([a-z]+))?)?$/.exec(
        path,
      );
    if (!match) continue;
    const [, group = '', version, namespaced, resource, subresource = ''] = match as unknown as string[];
    for (const [method, operation] of Object.entries(operations)) {
      const action = operation['x-kubernetes-action'];
      const gvk = operation['x-kubernetes-group-version-kind'];
      if (method === 'parameters' || action === undefined || gvk === undefined) continue;
      const key = [group, version, resource, subresource].join('/');
      const kind = [gvk.group, gvk.version, gvk.kind].join('/');
      const entry: Resource = found.get(key) ?? {
        row: [group, version!, resource!, subresource, 0, kind],
        verbs: new Set(),
      };
      found.set(key, entry);
      if (namespaced) entry.row[4] = 1;
      for (const verb of verbOf[action] ?? []) entry.verbs.add(verb);
    }
  }
  return [...found.entries()]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([, { row, verbs }]) => [...row, [...verbs].sort().join(' ')]);
}

const kinds: Record<string, number> = {};
for (const [name, definition] of Object.entries(swagger.definitions))
  for (const gvk of definition['x-kubernetes-group-version-kind'] ?? [])
    if (indexOf.has(name)) kinds[[gvk.group, gvk.version, gvk.kind].join('/')] = indexOf.get(name)!;
// kubectl 1.27 asks for these when v1 is young; their form is that of v1.
for (const version of ['v1alpha1', 'v1beta1'])
  kinds[`authentication.k8s.io/${version}/SelfSubjectReview`] = indexOf.get(
    'io.k8s.api.authentication.v1.SelfSubjectReview',
  )!;

const rows = (list: readonly unknown[]): string => list.map((entry) => JSON.stringify(entry)).join(',\n');
const target = new URL('src/apiserver/schema/generated/tables.json', root);
mkdirSync(new URL('.', target), { recursive: true });
writeFileSync(
  target,
  `{"internalPackages":${JSON.stringify(go.internalPackages)},\n"kinds":${JSON.stringify(kinds)},\n"resources":[\n${rows(resourceRows())}],\n"structs":[\n${rows(names.map(structRow))}]}\n`,
);
process.stdout.write(`${names.length} structs, ${Object.keys(kinds).length} kinds written to ${target.pathname}\n`);
