import type { Node, Pod } from '../kube/generated/types.ts';
import type { Labels } from '../kube/label-selector.ts';
import { keyOf } from '../kube/resources.ts';
import { NodeInfo } from './node-info.ts';

/** Nodes and the pods on them, those included that are being bound just now. */
export class ClusterState {
  readonly #infos = new Map<string, NodeInfo>();
  /** Node of every pod that takes room, by the pod's key. */
  readonly #placed = new Map<string, string>();
  readonly #namespaces = new Map<string, Labels>();

  setNode(name: string, node: Node | undefined): void {
    const info = this.#infoOf(name);
    info.setNode(node);
    if (node === undefined && info.pods.size === 0) this.#infos.delete(name);
  }

  /** A pod as it is now takes room on its node until it has ended or is gone (undefined). */
  setPod(key: string, pod: Pod | undefined): void {
    const node = pod === undefined || hasEnded(pod) ? undefined : pod.spec?.nodeName;
    const before = this.#placed.get(key);
    if (before !== undefined && before !== node) this.#removePod(key, before);
    if (node === undefined || pod === undefined) return;
    this.#infoOf(node).addPod(pod);
    this.#placed.set(key, node);
  }

  /** Counts a pod as placed before the server has said so. */
  assume(pod: Pod, node: string): void {
    this.setPod(keyOf(pod), { ...pod, spec: { ...pod.spec!, nodeName: node } });
  }

  /** The nodes that exist, in the order in which they came. */
  nodes(): readonly NodeInfo[] {
    return [...this.#infos.values()].filter(({ node }) => node !== undefined);
  }

  setNamespace(name: string, labels: Labels | undefined): void {
    if (labels === undefined) this.#namespaces.delete(name);
    else this.#namespaces.set(name, labels);
  }

  namespaceLabels(name: string): Labels {
    return this.#namespaces.get(name) ?? { 'kubernetes.io/metadata.name': name };
  }

  #removePod(key: string, node: string): void {
    const info = this.#infoOf(node);
    const placed = info.pods.get(key);
    if (placed !== undefined) info.removePod(placed.pod);
    this.#placed.delete(key);
    if (info.node === undefined && info.pods.size === 0) this.#infos.delete(node);
  }

  #infoOf(name: string): NodeInfo {
    const found = this.#infos.get(name) ?? new NodeInfo();
    this.#infos.set(name, found);
    return found;
  }
}

function hasEnded({ status }: Pod): boolean {
  return status?.phase === 'Succeeded' || status?.phase === 'Failed';
}
