import type { ServedGroupVersion } from '../schema/contract.ts';
import { buildDocument } from './document.ts';
import type { Schema } from './struct-schema.ts';

/** An OpenAPI v2 document, as far as clients of Kubernetes read it. */
export interface V2Document {
  readonly swagger: '2.0';
  readonly info: Schema;
  readonly paths: Readonly<Record<string, Schema>>;
  readonly definitions: Readonly<Record<string, Schema>>;
}

const METHODS = ['get', 'put', 'post', 'delete', 'options', 'head', 'patch'];

/** Builds one document of all group versions from their v3 documents. */
export function buildV2Document(served: Iterable<ServedGroupVersion>): V2Document {
  const paths: Record<string, Schema> = {};
  const definitions: Record<string, Schema> = {};
  for (const groupVersion of served) {
    const document = buildDocument(groupVersion) as unknown as V3Document;
    for (const [path, item] of Object.entries(document.paths)) paths[path] = v2PathItem(item);
    for (const [name, schema] of Object.entries(document.components.schemas)) definitions[name] ??= v2Schema(schema);
  }
  return { swagger: '2.0', info: { title: 'Kubernetes', version: 'unversioned' }, paths, definitions };
}

interface V3Document {
  readonly paths: Readonly<Record<string, Schema>>;
  readonly components: { readonly schemas: Readonly<Record<string, Schema>> };
}

interface V3Operation {
  readonly parameters?: readonly V3Parameter[];
  readonly requestBody?: { readonly content: V3Content; readonly required?: boolean };
  readonly responses: Readonly<Record<string, { readonly description: string; readonly content?: V3Content }>>;
}

interface V3Parameter {
  readonly name: string;
  readonly in: string;
  readonly required?: boolean;
  readonly schema: Schema;
}

type V3Content = Readonly<Record<string, { readonly schema: Schema }>>;

function v2PathItem(item: Schema): Schema {
  return Object.fromEntries(
    Object.entries(item).map(([name, value]) => {
      if (METHODS.includes(name)) return [name, v2Operation(value as V3Operation)];
      return [name, name === 'parameters' ? (value as readonly V3Parameter[]).map(v2Parameter) : value];
    }),
  );
}

function v2Operation({ parameters = [], requestBody, responses, ...rest }: V3Operation): Schema {
  const body = requestBody && Object.values(requestBody.content)[0];
  const all = [
    ...(body
      ? [{ name: 'body', in: 'body', required: requestBody.required === true, schema: v2Schema(body.schema) }]
      : []),
    ...parameters.map(v2Parameter),
  ];
  const produced = Object.values(responses).flatMap(({ content }) => Object.keys(content ?? {}));
  return {
    ...rest,
    consumes: requestBody ? Object.keys(requestBody.content) : ['*/*'],
    produces: [...new Set(produced)],
    ...(all.length > 0 ? { parameters: all } : {}),
    responses: Object.fromEntries(
      Object.entries(responses).map(([status, { description, content }]) => {
        const [answer] = Object.values(content ?? {});
        return [status, { description, ...(answer ? { schema: v2Schema(answer.schema) } : {}) }];
      }),
    ),
  };
}

function v2Parameter({ name, in: place, required, schema }: V3Parameter): Schema {
  const { type, uniqueItems } = schema;
  const isRequired = required ? { required } : {};
  return { name, in: place, type, ...(uniqueItems ? { uniqueItems } : {}), ...isRequired };
}

// What v2 has no words for is left out: alternatives of types, and null.
function v2Schema(schema: Schema): Schema {
  const { $ref, allOf, oneOf, anyOf: _anyOf, not: _not, nullable: _nullable, ...rest } = schema;
  const [only] = (allOf as readonly Schema[] | undefined) ?? [];
  const target = ($ref ?? only?.['$ref']) as string | undefined;
  if (target !== undefined) {
    const named = { $ref: target.replace('#/components/schemas/', '#/definitions/') };
    return rest['default'] === undefined ? named : { ...named, default: rest['default'] };
  }
  const { properties, items, additionalProperties: more } = rest as Record<string, Schema | undefined>;
  return {
    ...rest,
    ...(oneOf ? { type: 'string' } : {}),
    ...(properties ? { properties: mapSchemas(properties) } : {}),
    ...(items ? { items: v2Schema(items) } : {}),
    ...(typeof more === 'object' ? { additionalProperties: v2Schema(more) } : {}),
  };
}

function mapSchemas(schemas: Schema): Schema {
  return Object.fromEntries(Object.entries(schemas).map(([name, inner]) => [name, v2Schema(inner as Schema)]));
}
