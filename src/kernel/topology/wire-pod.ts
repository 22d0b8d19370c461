import { awaitCarrier } from '../netlink/await-carrier.ts';
import { links } from '../netlink/links.ts';
import { NetworkNamespace } from '../network-namespace.ts';
import { podBridge } from './node-operations.ts';
import type { NodePlan, PodAttachment, PodPlan } from './plan.ts';
import { buildBridgePod, buildPtpPod, type PodLink, type PodOperations } from './pod-operations.ts';

export interface PodWiring {
  readonly node: NodePlan;
  /** The node's namespace. */
  readonly netns: NetworkNamespace;
  readonly attachment: PodAttachment;
  /** Name of the pod's link on the node. */
  readonly hostLink: string;
  readonly pod: PodPlan;
}

/** Makes a pod's namespace and connects it to its node. Throws ERR_SYSCALL (EEXIST) when the name is taken; nothing is left then. */
export function wirePod({ node, netns, attachment, hostLink, pod }: PodWiring): NetworkNamespace {
  const made = NetworkNamespace.create(pod.name);
  try {
    const operations = buildPod(attachment, { node, netns: made, hostLink, addresses: pod.addresses });
    links.apply(netns, operations.node);
    links.apply(made, operations.pod);
    awaitCarrier(netns, hostLink);
    awaitCarrier(made, 'eth0');
    // A bridge has a carrier when its first port has one.
    if (attachment === 'bridge') awaitCarrier(netns, podBridge);
    return made;
  } catch (error) {
    made.delete();
    throw error;
  }
}

/** What connects a pod, and what cuts it off, by the way that its node connects pods. */
export function buildPod(attachment: PodAttachment, link: PodLink): PodOperations {
  return attachment === 'ptp' ? buildPtpPod(link) : buildBridgePod(link);
}
