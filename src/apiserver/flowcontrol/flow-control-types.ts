import type { FlowSchema, PriorityLevelConfiguration } from '../../kube/generated/types.ts';
import type { ResourceType } from '../../kube/resources.ts';

const GROUP = 'flowcontrol.apiserver.k8s.io';

/** The kinds of API Priority and Fairness. */
export const flowControl: {
  readonly flowSchemas: ResourceType<FlowSchema>;
  readonly priorityLevels: ResourceType<PriorityLevelConfiguration>;
} = {
  flowSchemas: { group: GROUP, version: 'v1', resource: 'flowschemas', kind: 'FlowSchema', namespaced: false },
  priorityLevels: {
    group: GROUP,
    version: 'v1',
    resource: 'prioritylevelconfigurations',
    kind: 'PriorityLevelConfiguration',
    namespaced: false,
  },
};

/** Prefix of all their keys in the store. */
export const FLOW_CONTROL_PREFIX = `/registry/${GROUP}/`;
