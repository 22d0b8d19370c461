export { Fabric } from './topology/fabric.ts';
export { NodeNetwork, type PodNetwork } from './topology/node-network.ts';
export type { FabricPlan, NodePlan, OutsideClientPlan, PodAttachment, PodPlan } from './topology/plan.ts';
