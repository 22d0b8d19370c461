import { afterAll, beforeAll, expect, test } from 'vitest';
import { flowControl } from '../../../src/apiserver/flowcontrol/flow-control-types.ts';
import type { FlowSchema, PriorityLevelConfiguration } from '../../../src/kube/generated/types.ts';
import { type ApiServerLab, startApiServerLab } from '../../helpers/api-server-lab.ts';
import fixture from './fixtures/flow-control.json' with { type: 'json' };

let lab: ApiServerLab;
beforeAll(async () => {
  lab = await startApiServerLab();
});
afterAll(() => lab?.[Symbol.asyncDispose]());

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
