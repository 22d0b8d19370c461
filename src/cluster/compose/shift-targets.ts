import type { ListenerPolicy } from '../../proxy/userspace/listener.ts';
import type { Transport } from '../../proxy/userspace/transport.ts';

/** Where an endpoint answers for its port. */
type PortOf = (endpoint: { readonly host: string; readonly port: number }) => number;

/** A transport that reaches endpoints at other ports than they say. */
export function shiftTargets(transport: Transport, portOf: PortOf): Transport {
  const shifted = (policy: ListenerPolicy): ListenerPolicy => ({
    ...policy,
    targets: policy.targets.map((target) => ({ ...target, port: portOf({ host: target.ip, port: target.port }) })),
  });
  return {
    open: (listener, sockets, address) =>
      transport.open({ ...listener, policy: shifted(listener.policy) }, sockets, address),
    update: (id, policy) => transport.update(id, shifted(policy)),
    close: (id) => transport.close(id),
    listeners: (node, family) => transport.listeners(node, family),
    connections: () => transport.connections(),
    counters: (node) => transport.counters(node),
    [Symbol.asyncDispose]: () => transport[Symbol.asyncDispose](),
  };
}
