import type { ServicePort, ServiceSpec } from '../../kube/generated/types.ts';
import { FieldFailure, internalError } from './field-failure.ts';
import { PortPool, type PortSource } from './port-pool.ts';
import { allocatesNodePorts, needsHealthCheckNodePort, needsNodePorts, nodePortsOf } from './service-fields.ts';

/** Fills in nodePorts and healthCheckNodePort. Throws FieldFailure or ApiStatusError InternalError. */
export function allocateNodePorts(
  spec: ServiceSpec,
  previous: ServiceSpec | undefined,
  source: PortSource,
): ServiceSpec {
  const held = new Set(nodePortsOf(previous ?? {}));
  const hadHealthCheck = previous !== undefined && needsHealthCheckNodePort(previous);
  if (hadHealthCheck && previous.healthCheckNodePort) held.add(previous.healthCheckNodePort);
  const pool = new PortPool(source, held);
  const filled = needsNodePorts(spec) ? { ...spec, ports: fillPorts(spec, previous, pool) } : spec;
  if (!needsHealthCheckNodePort(filled) || hadHealthCheck) return filled;
  return { ...filled, healthCheckNodePort: healthCheckNodePort(filled, pool) };
}

function fillPorts(spec: ServiceSpec, previous: ServiceSpec | undefined, pool: PortPool): readonly ServicePort[] {
  return previous === undefined ? fillNewPorts(spec, pool) : fillUpdatedPorts(spec, nodePortsOf(previous), pool);
}

// At creation ports with one number (TCP and UDP 53) share one node port.
function fillNewPorts(spec: ServiceSpec, pool: PortPool): readonly ServicePort[] {
  const shared = new Map<number, number>();
  const ports = spec.ports ?? [];
  return ports.map((port, index) => {
    const given = port.nodePort ?? 0;
    if (given === 0 && !allocatesNodePorts(spec)) return port;
    const known = shared.get(port.port);
    if (known !== undefined) {
      if (given !== 0 && given !== known) takePort(pool, index, given);
      return { ...port, nodePort: given === 0 ? known : given };
    }
    const wanted = ports.find((other) => other.port === port.port && other.nodePort)?.nodePort;
    if (wanted !== undefined) takePort(pool, index, wanted);
    const nodePort = wanted ?? pool.next('failed to allocate a nodePort');
    shared.set(port.port, nodePort);
    return { ...port, nodePort };
  });
}

function fillUpdatedPorts(spec: ServiceSpec, held: ReadonlySet<number>, pool: PortPool): readonly ServicePort[] {
  const taken = new Set(held);
  const seen = new Set<string>();
  return (spec.ports ?? []).map((port, index) => {
    let nodePort = port.nodePort ?? 0;
    if (nodePort === 0 && !allocatesNodePorts(spec)) return port;
    if (nodePort === 0) nodePort = pool.next('failed to allocate a nodePort');
    else if (!taken.has(nodePort)) takePort(pool, index, nodePort);
    taken.add(nodePort);
    const identity = `${port.protocol ?? 'TCP'}/${nodePort}`;
    if (seen.has(identity)) {
      throw new FieldFailure([{ type: 'Duplicate', field: `spec.ports[${index}].nodePort`, value: nodePort }]);
    }
    seen.add(identity);
    return { ...port, nodePort };
  });
}

function takePort(pool: PortPool, index: number, port: number): void {
  const detail = pool.take(port);
  if (detail === undefined) return;
  throw new FieldFailure([{ type: 'Invalid', field: `spec.ports[${index}].nodePort`, value: port, detail }]);
}

function healthCheckNodePort({ healthCheckNodePort: wanted }: ServiceSpec, pool: PortPool): number {
  if (!wanted) return pool.next('failed to allocate a HealthCheck NodePort 0');
  const detail = pool.take(wanted);
  if (detail === undefined) return wanted;
  throw internalError(`failed to allocate requested HealthCheck NodePort ${wanted}: ${detail}`);
}
