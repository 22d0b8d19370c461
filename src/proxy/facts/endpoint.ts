/** One ip:port behind a ServicePort. The same for every node: whether it is local is decided against `nodeName`. */
export interface Endpoint {
  /** Canonical text. */
  readonly ip: string;
  readonly port: number;
  /** `ip:port`, brackets around IPv6. Lists are sorted by this string, which is the order of the rules. */
  readonly address: string;
  readonly nodeName: string | undefined;
  readonly ready: boolean;
  readonly serving: boolean;
  readonly terminating: boolean;
  /** Zones that the EndpointSlice controller wants to use it; empty without hint. */
  readonly zoneHints: readonly string[];
  /** Nodes that the EndpointSlice controller wants to use it; empty without hint. */
  readonly nodeHints: readonly string[];
}

/** True when the endpoint runs on the node with this name. */
export function isLocal(endpoint: Endpoint, nodeName: string): boolean {
  return nodeName !== '' && endpoint.nodeName === nodeName;
}

/** True for the last resort: not ready because it is going away, but still answering. */
export function isServingTerminating(endpoint: Endpoint): boolean {
  return !endpoint.ready && endpoint.serving && endpoint.terminating;
}
