import { EventEmitter } from 'node:events';
import type { IncomingMessage } from 'node:http';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type ApiServer, createApiServer } from '../../../../src/apiserver/api-server.ts';
import { dumpPriorityLevels } from '../../../../src/apiserver/flowcontrol/dump-priority-levels.ts';
import { FlowControl } from '../../../../src/apiserver/flowcontrol/flow-control.ts';
import { flowControl } from '../../../../src/apiserver/flowcontrol/flow-control-types.ts';
import { printFlowMetrics } from '../../../../src/apiserver/flowcontrol/flow-metrics.ts';
import type { LevelRequest } from '../../../../src/apiserver/flowcontrol/level-request.ts';
import { parseRequestInfo } from '../../../../src/apiserver/http/request-info.ts';
import { createReader } from '../../../../src/apiserver/machinery/machinery.ts';
import { ResourceRegistry } from '../../../../src/apiserver/machinery/resource-registry.ts';
import { createServiceAllocator } from '../../../../src/controllers/service-allocator/service-allocator.ts';
import type { KubeClient } from '../../../../src/kube/client.ts';
import type { LimitResponse } from '../../../../src/kube/generated/types.ts';
import { MemoryStore } from '../../../../src/store/memory-store.ts';
import { metricOf } from '../../../helpers/metric-of.ts';
import { seededRandom } from '../../../helpers/seeded-random.ts';
import { SteppedClock, settled } from '../../../helpers/stepped-clock.ts';

const { flowSchemas, priorityLevels } = flowControl;
const alice = { name: 'alice', groups: ['dev', 'system:authenticated'] };
const stranger = { name: 'nobody', groups: [] };
const queue: LimitResponse = { type: 'Queue', queuing: { queues: 4, handSize: 1, queueLengthLimit: 1 } };

let clock: SteppedClock;
let store: MemoryStore;
let server: ApiServer;
let client: KubeClient;
let control: FlowControl;

beforeEach(async () => {
  clock = new SteppedClock();
  store = new MemoryStore({ clock });
  const allocator = createServiceAllocator({ serviceCIDRs: ['10.96.0.0/16'] });
  server = await createApiServer({ store, clock, random: seededRandom(), allocator });
  client = server.client('test');
  control = new FlowControl({ store, clock, reader: createReader(store), registry: new ResourceRegistry() }, 600);
});
afterEach(async () => {
  control[Symbol.dispose]();
  await server.close();
  await store[Symbol.asyncDispose]();
});

/** A level with one seat, and a schema that leads developers there. */
async function limitDevelopers(limitResponse: LimitResponse): Promise<void> {
  await client.create(priorityLevels, {
    metadata: { name: 'narrow' },
    spec: {
      type: 'Limited',
      limited: { nominalConcurrencyShares: 0, borrowingLimitPercent: 0, limitResponse },
    },
  });
  await client.create(flowSchemas, {
    metadata: { name: 'developers' },
    spec: {
      priorityLevelConfiguration: { name: 'narrow' },
      matchingPrecedence: 50,
      rules: [
        {
          subjects: [{ kind: 'Group', group: { name: 'dev' } }],
          resourceRules: [{ verbs: ['*'], apiGroups: ['*'], resources: ['*'], namespaces: ['*'], clusterScope: true }],
        },
      ],
    },
  });
  await settled();
}

function ask(url: string, caller = alice) {
  const [path = '', search = ''] = url.split('?');
  const query = new URLSearchParams(search);
  const info = parseRequestInfo('GET', path, query);
  const socket = new EventEmitter();
  const flow = control.classify(caller, info)!;
  const entered = control.enter(flow, info, { query, raw: { socket } as unknown as IncomingMessage });
  return { flow, entered, socket };
}

const leave = ({ flow, entered }: ReturnType<typeof ask>): void => control.leave(flow, entered as LevelRequest);
const metric = (name: string): number | undefined =>
  metricOf(printFlowMetrics(control).join('\n'), `apiserver_flowcontrol_${name}`);
const configMaps = '/api/v1/namespaces/default/configmaps';
const labels = 'flow_schema="developers",priority_level="narrow"';

test('who is in none of the groups that catch-all names is caught by it all the same', () => {
  expect(ask('/version', stranger).flow.stats.schema).toBe('catch-all');
});

test('a schema holds as soon as it is there, and not without its priority level', async () => {
  expect(ask(configMaps).flow.stats.schema).toBe('global-default');
  await limitDevelopers({ type: 'Reject' });
  expect(ask(configMaps).flow.stats.schema).toBe('developers');
  await client.delete(priorityLevels, { name: 'narrow' });
  expect(ask(configMaps).flow.stats.schema).toBe('global-default');
});

test('a schema that is gone is counted until the last of its requests is done', async () => {
  await limitDevelopers({ type: 'Reject' });
  const request = ask(configMaps);
  await client.delete(flowSchemas, { name: 'developers' });
  expect(metric(`current_executing_requests{${labels}}`)).toBe(1);
  leave(request);
  await clock.step(10_000);
  expect(metric(`current_executing_requests{${labels}}`)).toBeUndefined();
  expect(control.stats.map(({ schema }) => schema)).not.toContain('developers');
});

test('while mandatory objects are deleted they are imagined', async () => {
  for (const name of ['exempt', 'catch-all']) {
    await client.delete(flowSchemas, { name });
    await client.delete(priorityLevels, { name });
  }
  const { flow } = ask('/version', { name: 'root', groups: ['system:masters'] });
  expect([flow.stats.schema, flow.level.isExempt, flow.headers[1]]).toEqual(['exempt', true, '']);
});

describe('a level without a seat of its own', () => {
  test('that rejects lets one request work and turns the next away', async () => {
    await limitDevelopers({ type: 'Reject' });
    const first = ask(configMaps);
    expect(ask(configMaps).entered).toBeUndefined();
    expect(metric(`rejected_requests_total{${labels},reason="concurrency-limit"}`)).toBe(1);
    leave(first);
    expect(ask(configMaps).entered).toBeDefined();
    expect(metric(`dispatched_requests_total{${labels}}`)).toBe(2);
  });

  test('that has queues lets requests wait as long as they may, and no longer', async () => {
    await limitDevelopers(queue);
    const outcomes: string[] = [];
    const wait = (url: string): void => {
      const { entered } = ask(url);
      void Promise.resolve(entered).then((request) => outcomes.push(`${url.slice(-3)} ${request !== undefined}`));
    };
    wait(`${configMaps}?timeout=40s`);
    await clock.step(9999);
    expect(outcomes).toEqual([]);
    expect(metric(`current_inqueue_requests{${labels}}`)).toBe(1);
    wait(`${configMaps}?timeout=44s`);
    await settled();
    expect(outcomes).toEqual(['44s false']);
    await clock.step(1);
    expect(outcomes).toEqual(['44s false', '40s false']);
    expect(metric(`rejected_requests_total{${labels},reason="queue-full"}`)).toBe(1);
    expect(metric(`rejected_requests_total{${labels},reason="time-out"}`)).toBe(1);
    expect(metric(`request_wait_duration_seconds_sum{execute="false",${labels}}`)).toBe(10);
  });

  test('forgets a request whose client has gone', async () => {
    await limitDevelopers(queue);
    const { entered, socket } = ask(configMaps);
    socket.emit('close');
    expect(await entered).toBeUndefined();
    expect(socket.listenerCount('close')).toBe(0);
    expect(metric(`current_inqueue_requests{${labels}}`)).toBe(0);
  });

  test('gives its waiting requests seats when it is given some', async () => {
    await limitDevelopers(queue);
    const { entered } = ask(configMaps);
    const live = await client.get(priorityLevels, { name: 'narrow' });
    const limited = { ...live.spec!.limited!, nominalConcurrencyShares: 10 };
    await client.update(priorityLevels, { ...live, spec: { type: 'Limited', limited } });
    expect((await entered)?.isExecuting).toBe(true);
  });
});

test('a level that is deleted while requests are at work goes when the last is done', async () => {
  await limitDevelopers({ type: 'Reject' });
  const first = ask(configMaps);
  await client.delete(priorityLevels, { name: 'narrow' });
  expect(dumpPriorityLevels(control.levels)).toMatch(/^narrow, +0, +false, +true, +0, +1, +1, +0, +0, +0$/m);
  leave(first);
  expect(control.levels.map(({ name }) => name)).not.toContain('narrow');
});

test('streams and proxies take no part', () => {
  const info = parseRequestInfo('GET', '/api/v1/namespaces/n/pods/x/log', new URLSearchParams());
  expect(control.classify(alice, info)).toBeUndefined();
});

test('the seats are divided anew every ten seconds', async () => {
  await clock.step(10_000);
  expect(metric('current_limit_seats{priority_level="leader-election"}')).toBeGreaterThan(25);
  expect(metric('seat_fair_frac')).toBeCloseTo(602 / 258);
});
