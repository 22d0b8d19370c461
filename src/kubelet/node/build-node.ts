import type { Node, NodeCondition, NodeStatus, Taint } from '../../kube/generated/types.ts';
import { timestampOf } from '../../kube/timestamp.ts';
import type { MachineFacts } from './machine-facts.ts';

export interface NodeFacts {
  readonly name: string;
  /** Internal addresses, the primary one first. */
  readonly addresses: readonly string[];
  /** Addresses reachable from outside of the cluster, if they are others. */
  readonly externalAddresses?: readonly string[] | undefined;
  readonly podCIDRs: readonly string[];
  readonly labels?: Readonly<Record<string, string>> | undefined;
  readonly taints?: readonly Taint[] | undefined;
  /** How many pods it takes. */
  readonly maxPods: number;
  /** For example `v1.33.1`. */
  readonly kubeletVersion: string;
  /** For example `towtank://0.1.0`. */
  readonly containerRuntimeVersion: string;
  readonly machine: MachineFacts;
}

/** What the node offers to pods: all of this machine. */
export function nodeResources({ machine, maxPods }: Pick<NodeFacts, 'machine' | 'maxPods'>) {
  return {
    cpu: String(machine.cpus),
    memory: `${Math.floor(machine.memoryBytes / 1024)}Ki`,
    'ephemeral-storage': `${Math.floor(machine.diskBytes / 1024)}Ki`,
    pods: String(maxPods),
  } as const;
}

/** Builds the Node object with which a kubelet registers. */
export function buildNode(facts: NodeFacts, now: number): Node {
  const { name, podCIDRs, machine, labels, taints } = facts;
  return {
    apiVersion: 'v1',
    kind: 'Node',
    metadata: {
      name,
      labels: {
        'beta.kubernetes.io/arch': machine.architecture,
        'beta.kubernetes.io/os': 'linux',
        'kubernetes.io/arch': machine.architecture,
        'kubernetes.io/hostname': name,
        'kubernetes.io/os': 'linux',
        ...labels,
      },
    },
    spec: {
      ...(podCIDRs[0] === undefined ? {} : { podCIDR: podCIDRs[0], podCIDRs }),
      ...(taints === undefined || taints.length === 0 ? {} : { taints }),
    },
    status: buildNodeStatus(facts, undefined, now),
  };
}

/** Builds a node's status; conditions that were true before keep the time of their last change. */
export function buildNodeStatus(facts: NodeFacts, previous: NodeStatus | undefined, now: number): NodeStatus {
  const resources = nodeResources(facts);
  const { machine } = facts;
  return {
    addresses: [
      ...facts.addresses.map((address) => ({ type: 'InternalIP', address })),
      ...(facts.externalAddresses ?? []).map((address) => ({ type: 'ExternalIP', address })),
      { type: 'Hostname', address: facts.name },
    ],
    allocatable: resources,
    capacity: resources,
    conditions: buildConditions(previous, now),
    nodeInfo: {
      architecture: machine.architecture,
      bootID: machine.bootID,
      containerRuntimeVersion: facts.containerRuntimeVersion,
      kernelVersion: machine.kernelVersion,
      kubeProxyVersion: '',
      kubeletVersion: facts.kubeletVersion,
      machineID: machine.machineID,
      operatingSystem: 'linux',
      osImage: machine.osImage,
      systemUUID: machine.machineID,
    },
  };
}

const CONDITIONS = [
  ['MemoryPressure', 'False', 'KubeletHasSufficientMemory', 'kubelet has sufficient memory available'],
  ['DiskPressure', 'False', 'KubeletHasNoDiskPressure', 'kubelet has no disk pressure'],
  ['PIDPressure', 'False', 'KubeletHasSufficientPID', 'kubelet has sufficient PID available'],
  ['Ready', 'True', 'KubeletReady', 'kubelet is posting ready status'],
] as const;

function buildConditions(previous: NodeStatus | undefined, now: number): readonly NodeCondition[] {
  const at = timestampOf(now);
  return CONDITIONS.map(([type, status, reason, message]) => {
    const old = previous?.conditions?.find((condition) => condition.type === type);
    const lastTransitionTime = old?.status === status ? (old.lastTransitionTime ?? at) : at;
    return { type, status, lastHeartbeatTime: at, lastTransitionTime, reason, message };
  });
}
