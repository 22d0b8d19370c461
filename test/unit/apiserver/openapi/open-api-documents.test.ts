import { describe, expect, it } from 'vitest';
import { OpenApiDocuments } from '../../../../src/apiserver/openapi/open-api-documents.ts';
import type { ResourceFacts, ServedGroupVersion } from '../../../../src/apiserver/schema/contract.ts';
import { catalog } from '../../../helpers/go-fixtures.ts';

type Json = Record<string, unknown>;

function published(group: string, version: string): ServedGroupVersion {
  const resources = catalog.resources().filter((facts) => facts.group === group && facts.version === version);
  return { group, version, resources, customSchemas: new Map() };
}

const served = [published('', 'v1'), published('apps', 'v1')];
const documents = new OpenApiDocuments(() => served);
const core = JSON.parse(documents.document('api/v1')!.body.toString()) as {
  paths: Record<string, Record<string, Json>>;
  components: { schemas: Record<string, Json & { properties: Record<string, Json> }> };
};

describe('the index', () => {
  it('leads to each group version by a hash that the document has as well', () => {
    const { paths } = JSON.parse(documents.index().body.toString()) as {
      paths: Record<string, { serverRelativeURL: string }>;
    };
    expect(Object.keys(paths)).toEqual(['api/v1', 'apis/apps/v1']);
    expect(paths['api/v1']?.serverRelativeURL).toBe(`/openapi/v3/api/v1?hash=${documents.document('api/v1')!.hash}`);
  });

  it('changes with what is served, and no document that is not concerned does', () => {
    const kinds: ServedGroupVersion[] = [...served];
    const changing = new OpenApiDocuments(() => kinds);
    const [index, apps] = [changing.index().hash, changing.document('apis/apps/v1')!];
    kinds[0] = { ...served[0]!, customSchemas: new Map([['Extra', { type: 'object' }]]) };
    expect(changing.index().hash).not.toBe(index);
    expect(changing.document('apis/apps/v1')).toBe(apps);
  });
});

describe('a document', () => {
  it('is built once', () => {
    expect(documents.document('api/v1')).toBe(documents.document('api/v1'));
  });

  it('is not there for what is not served', () => {
    expect(documents.document('apis/batch/v1')).toBeUndefined();
    expect(documents.document('__proto__')).toBeUndefined();
  });

  it('refers to no schema that it does not have', () => {
    const text = documents.document('api/v1')!.body.toString();
    const names = [...text.matchAll(/"#\/components\/schemas\/([^"]+)"/g)].map(([, name]) => name!);
    expect(names.filter((name) => core.components.schemas[name] === undefined)).toEqual([]);
  });

  it('tells kubectl what it asks before it writes: dryRun and fieldValidation on the PATCH of each kind', () => {
    const patch = core.paths['/api/v1/namespaces/{namespace}/services/{name}']?.['patch'] as Json;
    expect(patch['x-kubernetes-group-version-kind']).toEqual({ group: '', version: 'v1', kind: 'Service' });
    const names = (patch['parameters'] as Json[]).map(({ name }) => name);
    expect(names).toEqual(['dryRun', 'fieldManager', 'fieldValidation', 'force']);
  });

  it('has what patches and applies merge by, defaults and enums', () => {
    expect(core.components.schemas['io.k8s.api.core.v1.ServiceSpec']?.properties['ports']).toEqual({
      type: 'array',
      items: { allOf: [{ $ref: '#/components/schemas/io.k8s.api.core.v1.ServicePort' }], default: {} },
      'x-kubernetes-list-map-keys': ['port', 'protocol'],
      'x-kubernetes-list-type': 'map',
      'x-kubernetes-patch-merge-key': 'port',
      'x-kubernetes-patch-strategy': 'merge',
    });
    expect(core.components.schemas['io.k8s.api.core.v1.ServicePort']?.properties).toMatchObject({
      protocol: { type: 'string', default: 'TCP', enum: ['SCTP', 'TCP', 'UDP'] },
      port: { type: 'integer', format: 'int32', default: 0 },
      targetPort: { allOf: [{ $ref: '#/components/schemas/io.k8s.apimachinery.pkg.util.intstr.IntOrString' }] },
    });
  });

  it('names operations as generated clients know them', () => {
    const ids = Object.values(core.paths).flatMap((path) =>
      Object.values(path).map((operation) => operation['operationId']),
    );
    for (const id of [
      'readCoreV1NamespacedPodStatus',
      'deleteCoreV1CollectionNamespacedPod',
      'listCoreV1PodForAllNamespaces',
    ])
      expect(ids).toContain(id);
    const defined = ids.filter((id) => id !== undefined);
    expect(new Set(defined).size).toBe(defined.length);
  });

  it('of a custom kind has its schema with the types that every object has', () => {
    const kind = { group: 'gateway.networking.k8s.io', version: 'v1', kind: 'Gateway' };
    const facts: ResourceFacts = {
      ...kind,
      resource: 'gateways',
      subresource: undefined,
      namespaced: true,
      kind,
      verbs: ['get', 'list', 'patch'],
    };
    const schema = { type: 'object', properties: { spec: { type: 'object' } }, required: ['spec'] };
    const custom = new OpenApiDocuments(() => [
      { group: kind.group, version: kind.version, resources: [facts], customSchemas: new Map([['Gateway', schema]]) },
    ]);
    const document = JSON.parse(custom.document('apis/gateway.networking.k8s.io/v1')!.body.toString()) as typeof core;
    expect(document.components.schemas['io.k8s.networking.gateway.v1.Gateway']).toMatchObject({
      type: 'object',
      required: ['spec'],
      properties: { apiVersion: { type: 'string' }, spec: { type: 'object' } },
      'x-kubernetes-group-version-kind': [{ group: kind.group, kind: 'Gateway', version: 'v1' }],
    });
    expect(Object.keys(document.paths)).toContain(
      '/apis/gateway.networking.k8s.io/v1/namespaces/{namespace}/gateways/{name}',
    );
  });
});

describe('version 2', () => {
  const v2 = documents.v2('application/json');
  const document = JSON.parse(v2.body.toString()) as {
    swagger: string;
    paths: Record<string, Record<string, { parameters: Json[]; responses: Json; [extension: string]: unknown }>>;
    definitions: Record<string, Json & { properties: Record<string, Json> }>;
  };

  it('is one document of all group versions, whose references lead into it', () => {
    expect(document.swagger).toBe('2.0');
    expect(Object.keys(document.paths)).toEqual(
      expect.arrayContaining(['/api/v1/namespaces/{namespace}/services', '/apis/apps/v1/deployments']),
    );
    const references = v2.body.toString().match(/"\$ref":"[^"]*"/g) ?? [];
    const names = [...new Set(references)].map((text) => text.slice('"$ref":"#/definitions/'.length, -1));
    expect(names.filter((name) => !document.definitions[name])).toEqual([]);
    expect(v2.body.toString()).not.toContain('#/components/');
  });

  it('names the body and the query of an operation as parameters', () => {
    const { post } = document.paths['/api/v1/namespaces/{namespace}/services']!;
    expect(post!.parameters).toContainEqual({
      name: 'body',
      in: 'body',
      required: true,
      schema: { $ref: '#/definitions/io.k8s.api.core.v1.Service' },
    });
    expect(post!.parameters).toContainEqual({ name: 'dryRun', in: 'query', type: 'string', uniqueItems: true });
    expect(post!['x-kubernetes-group-version-kind']).toEqual({ group: '', version: 'v1', kind: 'Service' });
  });

  it('has types where version 3 has alternatives', () => {
    const intOrString = document.definitions['io.k8s.apimachinery.pkg.util.intstr.IntOrString'];
    expect(intOrString).toEqual({ format: 'int-or-string', type: 'string' });
  });

  it('is protobuf for those who ask for it, and built once', () => {
    const accept = 'application/com.github.proto-openapi.spec.v2@v1.0+protobuf';
    const { contentType, body, hash } = documents.v2(accept);
    expect(contentType).toContain('protobuf');
    // swagger: "2.0" is the first field.
    expect(body.subarray(0, 5).toString()).toBe('\n\u00032.0');
    expect(hash).toBe(v2.hash);
    expect(documents.v2(accept).body).toBe(body);
  });
});
