import type { FlowSchema } from '../../kube/generated/types.ts';
import type { Strategy } from '../machinery/strategy.ts';
import { validateConditions, validateFlowSchema } from '../validation/flow-schema.ts';
import { validatePriorityLevel } from '../validation/priority-level.ts';
import { defineStrategy, specStatusUpdate, validated } from './define-strategy.ts';
import { resetMetadataStatus } from './other-kinds.ts';

const configurationStrategy = defineStrategy({
  generation: true,
  create: (object) => ({ ...object, status: {} }),
  update: specStatusUpdate(),
  subresources: {
    status: { ...resetMetadataStatus, validate: (object) => validateConditions(object as FlowSchema) },
  },
});

/** FlowSchemas. */
export const flowSchemaStrategy: Strategy = validated(configurationStrategy, validateFlowSchema);

/** PriorityLevelConfigurations. */
export const priorityLevelStrategy: Strategy = validated(configurationStrategy, validatePriorityLevel);
