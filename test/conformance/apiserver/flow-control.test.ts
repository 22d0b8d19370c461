import type { IncomingHttpHeaders, IncomingMessage } from 'node:http';
import { request } from 'node:https';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { rbac } from '../../../src/apiserver/access/role-types.ts';
import { flowControl } from '../../../src/apiserver/flowcontrol/flow-control-types.ts';
import type { Caller } from '../../../src/apiserver/machinery/strategy.ts';
import type { FlowSchema, PriorityLevelConfiguration } from '../../../src/kube/generated/types.ts';
import type { KubeObject } from '../../../src/kube/resources.ts';
import { MemoryStore } from '../../../src/store/memory-store.ts';
import type { WriteOperation, WriteResult } from '../../../src/store/store.ts';
import { type ApiServerLab, startApiServerLab } from '../../helpers/api-server-lab.ts';
import { systemClock } from '../../helpers/system-clock.ts';
import fixture from './fixtures/flow-control.json' with { type: 'json' };

let lab: ApiServerLab;
beforeAll(async () => {
  lab = await startApiServerLab({ staticTokens: new Map(fixture.callers.flatMap(asToken)) });
});
afterAll(() => lab?.[Symbol.asyncDispose]());

// The name of a caller is his token.
function asToken({ user, groups }: (typeof fixture.callers)[number]): [string, Caller][] {
  return user === null ? [] : [[user, { name: user, groups: [...groups, 'system:authenticated'] }]];
}

// Of what one server only knows.
function comparable({ kind, metadata, spec, status }: FlowSchema | PriorityLevelConfiguration): unknown {
  const { name, generation, annotations } = metadata ?? {};
  const conditions = status?.conditions?.map(({ lastTransitionTime: _time, ...rest }) => rest);
  return { kind, metadata: { name, generation, annotations }, spec, status: conditions ? { conditions } : {} };
}

test('a cluster starts with the flow schemas and priority levels of the real server', async () => {
  const schemas = await lab.client.list(flowControl.flowSchemas);
  const levels = await lab.client.list(flowControl.priorityLevels);
  expect([...schemas.items, ...levels.items].map(comparable)).toEqual(fixture.objects);
});

describe('the headers of answers name flow schema and priority level as those of the real server do', () => {
  type Sent = readonly [method: string, path: string, schema: string | null, level: string | null];
  const requests = fixture.callers.flatMap(({ user, requests }) =>
    (requests as unknown as readonly Sent[]).map(([method, path, schema, level]) => ({
      user,
      method,
      path,
      schema,
      level,
    })),
  );

  test.each(requests)('$user $method $path: $schema, $level', async ({ user, method, path, schema, level }) => {
    const headers = await headersOf(method, path, user);
    const names = await namesByUid();
    const named = (header: string) => names.get(String(headers[header])) ?? null;
    expect(named('x-kubernetes-pf-flowschema-uid')).toBe(schema);
    expect(named('x-kubernetes-pf-prioritylevel-uid')).toBe(level);
  });

  test('and a token that nobody knows gets none', async () => {
    const headers = await headersOf('GET', '/version', 'nobody');
    expect(headers).not.toHaveProperty('x-kubernetes-pf-flowschema-uid');
  });
});

async function namesByUid(): Promise<ReadonlyMap<string, string>> {
  const schemas = await lab.client.list(flowControl.flowSchemas);
  const levels = await lab.client.list(flowControl.priorityLevels);
  return new Map([...schemas.items, ...levels.items].map(({ metadata }) => [metadata!.uid!, metadata!.name!]));
}

function headersOf(method: string, path: string, user: string | null): Promise<IncomingHttpHeaders> {
  const body = ['GET', 'HEAD'].includes(method) ? '' : '{}';
  const authorization = user === null ? {} : { authorization: `Bearer ${user}` };
  const headers = { ...authorization, 'content-type': 'application/json', 'content-length': body.length };
  return new Promise((resolve, reject) => {
    const sent = request(`${lab.url}${path}`, { method, ca: lab.certificates.ca.cert, headers }, (response) => {
      resolve(response.headers);
      response.destroy();
    });
    sent.on('error', reject).end(body);
  });
}

describe('a level that has no seat left', () => {
  test('answers 429 as the real server does, and lets the next one in when one is free', async () => {
    await using held = await holdWrites();
    await held.lab.client.create(flowControl.priorityLevels, narrowLevel);
    await held.lab.client.create(flowControl.flowSchemas, everybodySchema);
    const first = held.write('first');
    await held.reached;
    const refused = await held.write('second');
    expect([refused.status, await refused.text()]).toEqual([429, 'Too many requests, please try again later.\n']);
    expect(refused.headers.get('retry-after')).toBe('1');
    expect(refused.headers.get('content-type')).toBe('text/plain; charset=utf-8');
    expect(refused.headers.get('x-kubernetes-pf-prioritylevel-uid')).toMatch(/^[0-9a-f-]{36}$/);
    expect((await held.get('/version', 'root')).status).toBe(200);
    held.release();
    expect((await first).status).toBe(201);
    expect((await held.write('third')).status).toBe(201);
    const dump = await (await held.get('/debug/api_priority_and_fairness/dump_priority_levels', 'root')).text();
    expect(dump).toMatch(/^PriorityLevelName, ActiveQueues, IsIdle, IsQuiescing, WaitingRequests, /);
    expect(dump).toMatch(/^narrow, +0, +true, +false, +0, +0, +2, +1, +0, +0$/m);
  });
});

const narrowLevel: PriorityLevelConfiguration = {
  metadata: { name: 'narrow' },
  spec: {
    type: 'Limited',
    limited: { nominalConcurrencyShares: 0, borrowingLimitPercent: 0, limitResponse: { type: 'Reject' } },
  },
};
const everybodySchema: FlowSchema = {
  metadata: { name: 'writers' },
  spec: {
    priorityLevelConfiguration: { name: 'narrow' },
    matchingPrecedence: 10,
    rules: [
      {
        subjects: [{ kind: 'User', user: { name: 'writer' } }],
        resourceRules: [{ verbs: ['*'], apiGroups: ['*'], resources: ['*'], namespaces: ['*'] }],
      },
    ],
  },
};

/** A server on which the first ConfigMap that is written waits until it is released. */
async function holdWrites() {
  const reached = Promise.withResolvers<void>();
  const released = Promise.withResolvers<void>();
  const store = new HoldingStore({ clock: systemClock }, async () => {
    reached.resolve();
    await released.promise;
  });
  const caller = (name: string, group: string): Caller => ({ name, groups: [group, 'system:authenticated'] });
  const staticTokens = new Map([
    ['writer', caller('writer', 'writers')],
    ['root', caller('root', 'system:masters')],
  ]);
  const lab = await startApiServerLab({ store, staticTokens });
  await lab.client.create(rbac.clusterRoleBindings, {
    metadata: { name: 'writers' },
    roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: 'cluster-admin' },
    subjects: [{ apiGroup: 'rbac.authorization.k8s.io', kind: 'Group', name: 'writers' }],
  });
  // The plain listener takes for the administrator only those who do not say who they are.
  const send = (path: string, token: string, init: RequestInit = {}): Promise<Response> =>
    fetch(`${lab.plainUrl}${path}`, { ...init, headers: { ...init.headers, authorization: `Bearer ${token}` } });
  return {
    lab,
    reached: reached.promise,
    release: released.resolve,
    get: send,
    write: (name: string) =>
      send('/api/v1/namespaces/default/configmaps', 'writer', {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ metadata: { name } }),
      }),
    [Symbol.asyncDispose]: async () => {
      released.resolve();
      await lab[Symbol.asyncDispose]();
      await store[Symbol.asyncDispose]();
    },
  };
}

class HoldingStore extends MemoryStore {
  #hold: (() => Promise<void>) | undefined;

  constructor(options: ConstructorParameters<typeof MemoryStore>[0], hold: () => Promise<void>) {
    super(options);
    this.#hold = hold;
  }

  override async commit(operations: readonly WriteOperation[]): Promise<WriteResult> {
    const hold = this.#hold;
    if (hold && operations.some(({ key }) => key.startsWith('/registry/core/configmaps/'))) {
      this.#hold = undefined;
      await hold();
    }
    return super.commit(operations);
  }
}

describe('a long list holds its seats until it is sent', () => {
  const configMaps = { group: '', version: 'v1', resource: 'configmaps', kind: 'ConfigMap', namespaced: true } as const;
  const soon = { timeout: 30_000 };
  const executing = async (): Promise<number> => {
    const answer = await fetch(`${lab.plainUrl}/debug/api_priority_and_fairness/dump_priority_levels`);
    return Number(/^workload-high,(?:[^,]+,){4}\s*(\d+),/m.exec(await answer.text())?.[1]);
  };
  // Nothing of the answer is read until it is told to flow.
  const list = (): Promise<IncomingMessage> =>
    new Promise((resolve, reject) => {
      const headers = { authorization: 'Bearer system:kube-controller-manager' };
      const path = `${lab.url}/api/v1/namespaces/default/configmaps`;
      request(path, { ca: lab.certificates.ca.cert, headers }).on('response', resolve).on('error', reject).end();
    });

  beforeAll(async () => {
    const data = { text: 'x'.repeat(20_000) };
    for (let i = 0; i < 1000; i++) {
      await lab.client.create(configMaps, {
        metadata: { name: `long-${i}`, namespace: 'default' },
        data,
      } as KubeObject);
    }
  });

  test('to its last piece', async () => {
    const answer = await list();
    expect([answer.statusCode, await executing()]).toEqual([200, 1]);
    for await (const _piece of answer);
    await expect.poll(executing, soon).toBe(0);
  });

  test('or until its client goes', async () => {
    const answer = await list();
    expect([answer.statusCode, await executing()]).toEqual([200, 1]);
    answer.destroy();
    await expect.poll(executing, soon).toBe(0);
  });
});
