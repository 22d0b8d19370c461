import { isIPv6 } from 'node:net';
import type { Cluster } from '../../cluster/cluster.ts';
import type { LoopbackStatus, NodeStatus, Target } from '../../cluster/control/protocol.ts';
import type { Pod, Service } from '../../kube/generated/types.ts';

/** The objects whose addresses the paths use. */
export interface DemoFacts {
  readonly web: Service;
  readonly nobody: Service;
  readonly caller: Pod;
  readonly pods: readonly Pod[];
}

/** One way through the network, and what has to come out of it: by a program, or by a request of towtank's own. */
export type DemoPath = {
  readonly title: string;
  readonly target: Target;
  /** The target as a prompt shows it. */
  readonly where: string;
  /** Tells whether exit code and output are as they should be. */
  readonly expect: (exitCode: number, output: string) => boolean;
} & ({ readonly command: readonly string[] } | { readonly url: string });

const curl = (url: string): readonly string[] => ['curl', '-sS', '--max-time', '3', url];
const inUrl = (address: string): string => (isIPv6(address) ? `[${address}]` : address);

/** Every path of the demo: name, ClusterIPs of both families, NodePort, load balancer, pod to pod, and a refusal. */
export function buildPaths(
  facts: DemoFacts,
  nodes: readonly NodeStatus[],
  loopback: LoopbackStatus | undefined,
): readonly DemoPath[] {
  const http = httpAt(loopback);
  const { web, nobody, caller, pods } = facts;
  const names = pods.map((pod) => pod.metadata?.name ?? '');
  const fromWeb = (exitCode: number, output: string): boolean => exitCode === 0 && names.includes(output.trim());
  const pod: Target = { kind: 'pod', namespace: 'default', name: 'caller' };
  const remote = pods.find((other) => other.spec?.nodeName !== caller.spec?.nodeName) ?? pods[0];
  const nodePort = web.spec?.ports?.[0]?.nodePort;
  const [near] = nodes;
  const far = nodes.at(-1);
  const balancer = web.status?.loadBalancer?.ingress?.[0]?.ip ?? '';
  const callerIP = caller.status?.podIP;
  return [
    {
      title: 'a pod calls the Service by name',
      target: pod,
      where: 'caller',
      // What programs do not find, towtank's own resolver does, by the same cluster DNS; it also knows where the port is.
      ...(loopback?.findsNames === false
        ? { url: 'http://web/hostname' }
        : { command: curl(`http://web${http}/hostname`) }),
      expect: fromWeb,
    },
    ...(web.spec?.clusterIPs ?? []).map((address) => ({
      title: `a pod calls the ${isIPv6(address) ? 'IPv6' : 'IPv4'} ClusterIP`,
      target: pod,
      where: 'caller',
      command: curl(`http://${inUrl(address)}${http}/hostname`),
      expect: fromWeb,
    })),
    {
      title: 'a node calls the NodePort of another node',
      target: { kind: 'node', name: near?.name ?? '' },
      where: near?.name ?? '',
      command: curl(`http://${inUrl(far?.addresses[0] ?? '')}:${nodePort}/hostname`),
      expect: fromWeb,
    },
    {
      title: 'the outside client calls the load balancer address',
      target: { kind: 'client' },
      where: 'client',
      command: curl(`http://${inUrl(balancer)}${http}/hostname`),
      expect: fromWeb,
    },
    {
      title: 'a pod calls a pod of another node, which sees its address',
      target: pod,
      where: 'caller',
      command: curl(`http://${inUrl(remote?.status?.podIP ?? '')}:8080/clientip`),
      expect: (exitCode, output) => exitCode === 0 && callerIP !== undefined && output.includes(callerIP),
    },
    {
      title: 'a Service without endpoints refuses at once',
      target: pod,
      where: 'caller',
      command: curl(`http://${inUrl(nobody.spec?.clusterIP ?? '')}${http}/`),
      expect: (exitCode) => exitCode === 7,
    },
  ];
}

// Port 80 as a URL names it.
function httpAt(loopback: LoopbackStatus | undefined): string {
  return loopback === undefined || loopback.firstPort <= 80 ? '' : `:${80 + loopback.portOffset}`;
}

/** Walks one path for real. */
export async function tryPath(
  cluster: Cluster,
  path: DemoPath,
): Promise<{ readonly ok: boolean; readonly text: string }> {
  if ('url' in path) {
    const { status, body } = await cluster.at(path.target).fetch(path.url);
    return { ok: path.expect(status === 200 ? 0 : 22, body), text: body.trim() };
  }
  const { exitCode, stdout, stderr } = await cluster.at(path.target).exec(path.command);
  const text = [stdout.trim(), stderr.trim()].filter((part) => part !== '').join(' ') || `exit code ${exitCode}`;
  return { ok: path.expect(exitCode, stdout), text };
}
