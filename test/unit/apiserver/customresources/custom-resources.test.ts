import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type ApiServer, createApiServer } from '../../../../src/apiserver/api-server.ts';
import { createServiceAllocator } from '../../../../src/controllers/service-allocator/service-allocator.ts';
import type { KubeClient } from '../../../../src/kube/client.ts';
import type { CustomResourceDefinition, JSONSchemaProps } from '../../../../src/kube/generated/types.ts';
import type { ApiStatusError } from '../../../../src/kube/status.ts';
import { MemoryStore } from '../../../../src/store/memory-store.ts';
import type { KeyValue } from '../../../../src/store/store.ts';
import {
  type Boat,
  boats,
  buildDefinition,
  buildVersion,
  define,
  definitions,
  isEstablished,
} from '../../../helpers/custom-resources.ts';
import { seededRandom } from '../../../helpers/seeded-random.ts';
import { systemClock } from '../../../helpers/system-clock.ts';
import { untilObject } from '../../../helpers/until-object.ts';

let store: MemoryStore;
let server: ApiServer;
let client: KubeClient;
const failures: unknown[] = [];

async function start(): Promise<void> {
  server = await createApiServer({
    store,
    clock: systemClock,
    random: seededRandom(3),
    allocator: createServiceAllocator({ serviceCIDRs: ['10.96.0.0/16'] }),
    onError: (error) => failures.push(error),
  });
  client = server.client('test');
}

beforeEach(async () => {
  store = new MemoryStore({ clock: systemClock });
  failures.length = 0;
  await start();
});
afterEach(async () => {
  await server.close();
  await store[Symbol.asyncDispose]();
  expect(failures).toEqual([]);
});

const boat = (name: string, more: Partial<Boat> = {}): Boat => ({
  apiVersion: 'tow.example.com/v1',
  kind: 'Boat',
  metadata: { name, namespace: 'default' },
  ...more,
});
const key = (name: string) => ({ name, namespace: 'default' });
const gone = (name: string) => untilObject(client, definitions, { name }, (current) => current === undefined);
const refusal = (attempt: Promise<unknown>): Promise<ApiStatusError> =>
  attempt.then(
    () => expect.unreachable('it was accepted'),
    (error: ApiStatusError) => error,
  );

describe('a definition', () => {
  test('is served from the moment that it is established, with the names that it leaves out', async () => {
    await define(client);
    const { spec, status } = await client.get(definitions, { name: 'boats.tow.example.com' });
    expect(spec.names).toEqual({ plural: 'boats', singular: 'boat', kind: 'Boat', listKind: 'BoatList' });
    expect(spec.conversion).toEqual({ strategy: 'None' });
    expect(status).toMatchObject({ storedVersions: ['v1'], acceptedNames: { kind: 'Boat' } });
    expect(await client.create(boats, boat('one'))).toMatchObject({ metadata: { generation: 1 } });
  });

  test('whose names another one has is not established, and is as soon as that one is gone', async () => {
    await define(client);
    const name = 'ships.tow.example.com';
    await client.create(definitions, buildDefinition({ names: { plural: 'ships', kind: 'Boat' } }, name));
    const refused = await untilObject(
      client,
      definitions,
      { name },
      (found) => (found?.status?.conditions?.length ?? 0) > 0,
    );
    expect(refused?.status?.acceptedNames).toEqual({ plural: 'ships', kind: '' });
    expect(refused?.status?.conditions).toMatchObject([
      { type: 'NamesAccepted', status: 'False', reason: 'ListKindConflict', message: '"BoatList" is already in use' },
      { type: 'Established', status: 'False', reason: 'NotAccepted' },
    ]);
    await client.delete(definitions, { name: 'boats.tow.example.com' });
    await untilObject(client, definitions, { name }, (found) => found !== undefined && isEstablished(found));
  });

  test('that is there when a server starts is served at once', async () => {
    await define(client);
    await client.create(boats, boat('kept'));
    await server.close();
    await start();
    expect((await client.get(boats, key('kept'))).kind).toBe('Boat');
  });

  test('that came with a snapshot is served, one that is not in it is no more', async () => {
    await define(client);
    const { entries, ...facts } = await store.snapshot();
    const kept: KeyValue[] = [];
    for await (const entry of entries) kept.push(entry);
    const snapshot = { ...facts, entries: kept };
    await client.delete(definitions, { name: 'boats.tow.example.com' });
    await gone('boats.tow.example.com');
    expect(server.registry.all().some(({ type }) => type.resource === 'boats')).toBe(false);
    const served = Promise.withResolvers<void>();
    using _listening = server.registry.onChange(() => served.resolve());
    await store.restore(snapshot);
    await served.promise;
    await client.create(boats, boat('again'));
  });

  test('of a protected group says who approved it', async () => {
    const names = { plural: 'gateways', kind: 'Gateway' };
    const own = buildDefinition({ group: 'gateway.networking.k8s.io', names }, 'gateways.gateway.networking.k8s.io');
    expect((await refusal(client.create(definitions, own))).message).toMatch(
      /metadata.annotations\[api-approved.kubernetes.io\]: Required value: protected groups must have approval/,
    );
    const annotations = { 'api-approved.kubernetes.io': 'https://example.com/1' };
    await client.create(definitions, { ...own, metadata: { ...own.metadata, annotations } });
    const approved = await untilObject(client, definitions, { name: own.metadata?.name ?? '' }, (found) =>
      Boolean(found?.status?.conditions?.some(({ type }) => type === 'KubernetesAPIApprovalPolicyConformant')),
    );
    expect(approved?.status?.conditions).toContainEqual(
      expect.objectContaining({ status: 'True', reason: 'ApprovedAnnotation' }),
    );
  });
});

describe('deleting a definition', () => {
  test('deletes its objects, and what waits for a finalizer last', async () => {
    await define(client);
    await client.create(boats, boat('one'));
    await client.create(boats, boat('held', { metadata: { ...key('held'), finalizers: ['tow.example.com/hold'] } }));
    await client.delete(definitions, { name: 'boats.tow.example.com' });
    const ending = await untilObject(client, boats, key('held'), (found) =>
      Boolean(found?.metadata?.deletionTimestamp),
    );
    expect(ending?.metadata?.name).toBe('held');
    await untilObject(client, boats, key('one'), (found) => found === undefined);
    const { message } = await refusal(client.create(boats, boat('late')));
    expect(message).toBe(
      'boats.tow.example.com "late" is forbidden: create not allowed while custom resource definition is terminating',
    );
    await client.patch(boats, key('held'), { type: 'merge', body: { metadata: { finalizers: null } } });
    await gone('boats.tow.example.com');
    expect((await refusal(client.list(boats))).status).toBe(404);
    expect(store.count('/registry/tow.example.com/')).toBe(0);
  });
});

const withStatus = buildVersion({
  subresources: { status: {}, scale: { specReplicasPath: '.spec.crew', statusReplicasPath: '.status.crew' } },
  schema: {
    openAPIV3Schema: {
      type: 'object',
      properties: {
        spec: {
          type: 'object',
          properties: { crew: { type: 'integer' }, color: { type: 'string', default: 'blue' } },
        },
        status: { type: 'object', default: { phase: 'Docked' }, properties: { phase: { type: 'string' } } },
      },
    },
  },
});

describe('objects of a kind with subresources', () => {
  beforeEach(() => define(client, buildDefinition({ versions: [withStatus] })));

  test('start without the status that they bring, and with its default', async () => {
    const made = await client.create(boats, boat('one', { spec: { crew: 1 }, status: { phase: 'Sunk' } }));
    expect(made).toMatchObject({ spec: { crew: 1, color: 'blue' }, status: { phase: 'Docked' } });
  });

  test('count generations of what they should be, not of what they are', async () => {
    await client.create(boats, boat('one', { spec: { crew: 1 } }));
    const status = await client.patch(
      boats,
      key('one'),
      { type: 'merge', body: { spec: { crew: 9 }, status: { phase: 'Sailing' } } },
      { subresource: 'status' },
    );
    expect(status).toMatchObject({ metadata: { generation: 1 }, spec: { crew: 1 }, status: { phase: 'Sailing' } });
    const spec = await client.patch(boats, key('one'), { type: 'merge', body: { spec: { crew: 2 }, status: {} } });
    expect(spec).toMatchObject({ metadata: { generation: 2 }, spec: { crew: 2 }, status: { phase: 'Sailing' } });
  });

  test('are defaulted and pruned by the schema of now when they are read', async () => {
    await client.create(boats, boat('one', { spec: { crew: 1 } }));
    const properties = { spec: { type: 'object', properties: { flag: { type: 'string', default: 'white' } } } };
    const schema = { openAPIV3Schema: { type: 'object', properties } };
    const changed = Promise.withResolvers<void>();
    using _listening = server.registry.onChange(() => changed.resolve());
    await client.patch(
      definitions,
      { name: 'boats.tow.example.com' },
      {
        type: 'merge',
        body: { spec: { versions: [buildVersion({ schema })] } },
      },
    );
    await changed.promise;
    expect((await client.get(boats, key('one'))).spec).toEqual({ flag: 'white' });
  });
});

describe('a kind in two versions', () => {
  test('shows each object in both, under its name', async () => {
    const versions = [buildVersion(), buildVersion({ name: 'v2', storage: false })];
    await define(client, buildDefinition({ versions }));
    await client.create(boats, boat('one', { spec: { any: [1] } }));
    const second = { ...boats, version: 'v2' };
    expect(await client.get(second, key('one'))).toMatchObject({
      apiVersion: 'tow.example.com/v2',
      spec: { any: [1] },
    });
    await client.patch(second, key('one'), { type: 'merge', body: { spec: { more: true } } });
    expect(await client.get(boats, key('one'))).toMatchObject({
      apiVersion: 'tow.example.com/v1',
      spec: { any: [1], more: true },
    });
  });
});

describe('a definition is refused', () => {
  const causesOf = async (definition: CustomResourceDefinition): Promise<string[]> => {
    const { details } = await refusal(client.create(definitions, definition));
    return (details?.causes ?? []).map(({ field, message }) => `${field}: ${message}`);
  };
  const ofSpec = (properties: NonNullable<JSONSchemaProps['properties']>) =>
    buildDefinition({
      versions: [
        buildVersion({
          schema: { openAPIV3Schema: { type: 'object', properties: { spec: { type: 'object', properties } } } },
        }),
      ],
    });
  const at = 'spec.validation.openAPIV3Schema.properties[spec].properties';

  test('whose name is not that of its resource', async () => {
    const wrong = { ...buildDefinition(), metadata: { name: 'boats.example.com' } };
    expect(await causesOf(wrong)).toContain(
      'metadata.name: Invalid value: "boats.example.com": must be spec.names.plural+"."+spec.group',
    );
  });

  test('without one version that is stored', async () => {
    const causes = await causesOf(buildDefinition({ versions: [buildVersion({ storage: false })] }));
    expect(causes.join()).toMatch(/must have exactly one version marked as storage version/);
  });

  test.each<[NonNullable<JSONSchemaProps['properties']>, unknown]>([
    [{ a: {} }, `${at}[a].type: Required value: must not be empty for specified object fields`],
    [{ a: { type: 'array' } }, `${at}[a].items: Required value: must be specified`],
    [
      { a: { type: 'array', 'x-kubernetes-list-type': 'map', items: { type: 'object' } } },
      `${at}[a].x-kubernetes-list-map-keys: Required value: must not be empty if x-kubernetes-list-type is map`,
    ],
    [
      { a: { type: 'integer', default: 'x' } },
      `${at}[a].default: Invalid value: "string": ${at}[a].default in body must be of type integer: "string"`,
    ],
    [
      { a: { type: 'string', 'x-kubernetes-validations': [{ rule: 'self ==' }] } },
      expect.stringMatching(
        /x-kubernetes-validations\[0\].rule: .*compilation failed: ERROR: <input>:1:8: Syntax error/,
      ),
    ],
    [
      { a: { type: 'string', 'x-kubernetes-validations': [{ rule: 'nothing(self)' }] } },
      expect.stringMatching(/undeclared reference to 'nothing'/),
    ],
    [
      {
        a: {
          type: 'array',
          items: { type: 'string', 'x-kubernetes-validations': [{ rule: 'self == oldSelf' }] },
        },
      },
      `${at}[a].items.x-kubernetes-validations[0].rule: Invalid value: "self == oldSelf": oldSelf cannot be used on the uncorrelatable portion of the schema within ${at}[a]`,
    ],
  ])('with the schema %j', async (properties, expected) => {
    expect(await causesOf(ofSpec(properties))).toContainEqual(expected);
  });

  test('when it changes what cannot change', async () => {
    await define(client);
    const change = { spec: { scope: 'Cluster', names: { kind: 'Ship' } } };
    const { details } = await refusal(
      client.patch(definitions, { name: 'boats.tow.example.com' }, { type: 'merge', body: change }),
    );
    expect(details?.causes?.map(({ field }) => field)).toEqual(['spec.scope', 'spec.names.kind']);
  });
});
