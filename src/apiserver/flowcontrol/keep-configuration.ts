import type { FlowSchema, PriorityLevelConfiguration } from '../../kube/generated/types.ts';
import { apiVersionOf, type ResourceType } from '../../kube/resources.ts';
import { isReason } from '../../kube/status.ts';
import { type BootstrapObject, ensureObjects } from '../bootstrap/bootstrap-objects.ts';
import { deleteObject } from '../machinery/delete-object.ts';
import { followStore } from '../machinery/follow-store.ts';
import { type Machinery, type RequestContext, timestamp } from '../machinery/machinery.ts';
import { patchObject } from '../machinery/patch-object.ts';
import type { ServedResource } from '../machinery/served-resource.ts';
import { updateObject } from '../machinery/update-object.ts';
import {
  mandatoryFlowSchemas,
  mandatoryPriorityLevels,
  suggestedFlowSchemas,
  suggestedPriorityLevels,
} from './bootstrap-configuration.ts';
import { danglingCondition, saysSo } from './dangling-condition.ts';
import { FLOW_CONTROL_PREFIX, flowControl } from './flow-control-types.ts';
import { autoUpdates, reviseConfiguration } from './revise-configuration.ts';

type Configured = FlowSchema | PriorityLevelConfiguration;

const UPKEEP_MS = 60_000;

const contextOf = (manager: string): RequestContext => ({
  caller: { name: 'system:apiserver', groups: ['system:masters'] },
  manager,
  dryRun: false,
  fieldValidation: 'Ignore',
  warn: () => {},
});
const producer = contextOf('api-priority-and-fairness-config-producer-v1');
const consumer = contextOf('api-priority-and-fairness-config-consumer-v1');

interface Kept {
  readonly type: ResourceType;
  readonly object: Configured;
  readonly isMandatory: boolean;
}

const kept: readonly Kept[] = [
  ...keep(flowControl.priorityLevels, mandatoryPriorityLevels, true),
  ...keep(flowControl.priorityLevels, suggestedPriorityLevels, false),
  ...keep(flowControl.flowSchemas, mandatoryFlowSchemas, true),
  ...keep(flowControl.flowSchemas, suggestedFlowSchemas, false),
];

function keep(type: ResourceType, objects: readonly Configured[], isMandatory: boolean): Kept[] {
  return objects.map((object) => ({ type, object, isMandatory }));
}

/** The configuration of API Priority and Fairness that every cluster starts with, its status included. */
export function bootstrapFlowControl({ clock }: Pick<Machinery, 'clock'>): BootstrapObject[] {
  const lastTransitionTime = timestamp(clock);
  return kept.map(({ type, object }) => {
    const level = levelOf(object);
    if (level === undefined) return { type, object: { ...object, status: {} } };
    const status = { conditions: [{ ...danglingCondition(level, true), lastTransitionTime }] };
    return { type, object: { ...object, status } };
  });
}

// Undefined for a priority level.
function levelOf({ spec }: Configured): string | undefined {
  return spec && 'priorityLevelConfiguration' in spec ? spec.priorityLevelConfiguration.name : undefined;
}

/**
 * Keeps it: what was changed or deleted is put right within a minute, as far as it is the server's, and flow schemas say
 * whether their priority level exists.
 */
export function keepFlowControl(machinery: Machinery, onError: (error: unknown) => void): Disposable {
  let upkeep: Disposable | undefined;
  let isToldSoon = false;
  let isClosed = false;
  const run = (work: (machinery: Machinery) => Promise<void>): void => {
    work(machinery).catch((error) => {
      // Of what was under way nobody expects more.
      if (!isClosed) onError(error);
    });
  };
  const onChange = (): void => {
    upkeep ??= machinery.clock.schedule(UPKEEP_MS, () => {
      upkeep = undefined;
      run(putRight);
    });
    if (isToldSoon) return;
    isToldSoon = true;
    queueMicrotask(() => {
      isToldSoon = false;
      run(tellDangling);
    });
  };
  const following = followStore(machinery.store, FLOW_CONTROL_PREFIX, onChange);
  run(revise);
  return {
    [Symbol.dispose]: () => {
      isClosed = true;
      following[Symbol.dispose]();
      upkeep?.[Symbol.dispose]();
    },
  };
}

async function putRight(machinery: Machinery): Promise<void> {
  await ensureObjects(machinery, bootstrapFlowControl(machinery));
  await revise(machinery);
  await removeUnwanted(machinery);
}

async function revise(machinery: Machinery): Promise<void> {
  for (const { type, object, isMandatory } of kept) {
    const name = object.metadata?.name ?? '';
    const live = machinery.reader.get(type, { name }) as Configured | undefined;
    if (!live || !reviseConfiguration(live, object, isMandatory)) continue;
    const want = (current: Configured = object) => ({
      object: reviseConfiguration(current, object, isMandatory) ?? current,
      tracked: false,
    });
    await unlessGone(
      updateObject(machinery, {
        resource: resourceOf(machinery, type),
        subresource: '',
        namespace: undefined,
        name,
        context: producer,
        want,
      }),
    );
  }
}

// What an older version of the server made and this one does not.
async function removeUnwanted(machinery: Machinery): Promise<void> {
  for (const type of [flowControl.flowSchemas, flowControl.priorityLevels]) {
    const wanted = new Set(kept.filter((each) => each.type === type).map(({ object }) => object.metadata?.name));
    for (const object of machinery.reader.list<Configured>(type)) {
      const { name = '', uid } = object.metadata ?? {};
      if (wanted.has(name) || autoUpdates(object) !== true) continue;
      const resource = resourceOf(machinery, type);
      const options = { preconditions: { uid } };
      await unlessGone(deleteObject(machinery, { resource, namespace: undefined, name, options, context: producer }));
    }
  }
}

async function tellDangling(machinery: Machinery): Promise<void> {
  const { reader, clock } = machinery;
  for (const schema of reader.list(flowControl.flowSchemas)) {
    const level = levelOf(schema) ?? '';
    const condition = danglingCondition(level, reader.get(flowControl.priorityLevels, { name: level }) !== undefined);
    if (saysSo(schema, condition)) continue;
    const name = schema.metadata?.name ?? '';
    const { kind } = flowControl.flowSchemas;
    const body = {
      apiVersion: apiVersionOf(flowControl.flowSchemas),
      kind,
      metadata: { name },
      status: { conditions: [{ ...condition, lastTransitionTime: timestamp(clock) }] },
    };
    await unlessGone(
      patchObject(machinery, {
        resource: resourceOf(machinery, flowControl.flowSchemas),
        subresource: 'status',
        namespace: undefined,
        name,
        context: consumer,
        type: 'apply',
        body,
        force: true,
      }),
    );
  }
}

function resourceOf({ registry }: Machinery, { group, version, resource }: ResourceType): ServedResource {
  return registry.find(group, version, resource)!;
}

async function unlessGone(write: Promise<unknown>): Promise<void> {
  try {
    await write;
  } catch (error) {
    // Somebody has deleted it, or made it anew, meanwhile: the change comes by the watch.
    if (!isReason(error, 'NotFound') && !isReason(error, 'Conflict')) throw error;
  }
}
