import { afterEach, beforeEach, expect, test } from 'vitest';
import { type ApiServer, createApiServer } from '../../../../src/apiserver/api-server.ts';
import { flowControl } from '../../../../src/apiserver/flowcontrol/flow-control-types.ts';
import { createServiceAllocator } from '../../../../src/controllers/service-allocator/service-allocator.ts';
import type { KubeClient } from '../../../../src/kube/client.ts';
import type { FlowSchema } from '../../../../src/kube/generated/types.ts';
import { MemoryStore } from '../../../../src/store/memory-store.ts';
import { seededRandom } from '../../../helpers/seeded-random.ts';
import { SteppedClock, settled } from '../../../helpers/stepped-clock.ts';

const { flowSchemas, priorityLevels } = flowControl;
const MINUTE = 60_000;

let clock: SteppedClock;
let store: MemoryStore;
let servers: ApiServer[];
let failures: unknown[];
let client: KubeClient;

const start = async (): Promise<ApiServer> => {
  const server = await createApiServer({
    store,
    clock,
    random: seededRandom(),
    allocator: createServiceAllocator({ serviceCIDRs: ['10.96.0.0/16'] }),
    onError: (error) => failures.push(error),
  });
  servers.push(server);
  return server;
};

beforeEach(async () => {
  clock = new SteppedClock();
  store = new MemoryStore({ clock });
  [servers, failures] = [[], []];
  client = (await start()).client('test');
});
afterEach(async () => {
  for (const server of servers) await server.close();
  await store[Symbol.asyncDispose]();
  expect(failures).toEqual([]);
});

const schema = (level: string): FlowSchema => ({
  metadata: { name: 'mine' },
  spec: { priorityLevelConfiguration: { name: level }, matchingPrecedence: 300 },
});
const dangling = async (): Promise<string | undefined> => {
  const found = await client.get(flowSchemas, { name: 'mine' });
  return found.status?.conditions?.find(({ type }) => type === 'Dangling')?.status;
};

test('what was deleted is there again within a minute, mandatory or suggested', async () => {
  for (const name of ['catch-all', 'workload-low']) await client.delete(priorityLevels, { name });
  await client.delete(flowSchemas, { name: 'exempt' });
  await clock.step(MINUTE);
  expect((await client.list(priorityLevels)).items).toHaveLength(8);
  expect((await client.list(flowSchemas)).items).toHaveLength(11);
});

test('a suggested spec that was changed comes back while its annotation says true, and stays when it says false', async () => {
  const change = async (annotation: string) => {
    const live = await client.get(flowSchemas, { name: 'service-accounts' });
    await client.update(flowSchemas, {
      ...live,
      metadata: { ...live.metadata, annotations: { 'apf.kubernetes.io/autoupdate-spec': annotation } },
      spec: { ...live.spec!, matchingPrecedence: 4321 },
    });
    await clock.step(MINUTE);
    return (await client.get(flowSchemas, { name: 'service-accounts' })).spec?.matchingPrecedence;
  };
  expect(await change('true')).toBe(9000);
  expect(await change('false')).toBe(4321);
});

test('an object that an older server left is removed, one of a user is not', async () => {
  const annotated = { name: 'old', annotations: { 'apf.kubernetes.io/autoupdate-spec': 'true' } };
  await client.create(flowSchemas, { ...schema('system'), metadata: annotated });
  await client.create(flowSchemas, schema('system'));
  await clock.step(MINUTE);
  const names = (await client.list(flowSchemas)).items.map(({ metadata }) => metadata?.name);
  expect(names).toContain('mine');
  expect(names).not.toContain('old');
});

test('a flow schema says whether its priority level is there, as soon as that changes', async () => {
  await client.create(flowSchemas, schema('special'));
  await settled();
  expect(await dangling()).toBe('True');
  await client.create(priorityLevels, {
    metadata: { name: 'special' },
    spec: { type: 'Limited', limited: { limitResponse: { type: 'Reject' } } },
  });
  await settled();
  expect(await dangling()).toBe('False');
  await client.delete(priorityLevels, { name: 'special' });
  await settled();
  expect(await dangling()).toBe('True');
});

test('two servers on one store agree, and write nothing more when all is well', async () => {
  await start();
  await client.delete(flowSchemas, { name: 'probes' });
  await client.create(flowSchemas, schema('system'));
  await clock.step(MINUTE);
  await clock.step(MINUTE);
  const { revision } = store;
  await clock.step(10 * MINUTE);
  expect(store.revision).toBe(revision);
  expect((await client.list(flowSchemas)).items).toHaveLength(12);
});

test('a server that starts on an old store mends what is there', async () => {
  await servers.pop()!.close();
  const live = store.get('/registry/flowcontrol.apiserver.k8s.io/flowschemas/catch-all')!;
  const value = Buffer.from(live.value.toString().replace('"matchingPrecedence":10000', '"matchingPrecedence":9999'));
  await store.commit([{ key: live.key, value }]);
  client = (await start()).client('test');
  await settled();
  expect((await client.get(flowSchemas, { name: 'catch-all' })).spec?.matchingPrecedence).toBe(10_000);
});
