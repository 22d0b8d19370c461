import { canonicalAddress } from '../../ipam/address.ts';
import { type AddressRange, parseAddressRange } from '../../ipam/address-range.ts';
import type { Cursor } from '../../ipam/pick-free.ts';
import { type PortRange, parsePortRange } from '../../ipam/port-range.ts';
import type { Random } from '../../kube/clock.ts';
import { type FieldError, invalidObject } from '../../kube/field-error.ts';
import type { Service, ServiceSpec } from '../../kube/generated/types.ts';
import { resources } from '../../kube/resources.ts';
import type { ServiceAllocation, ServiceAllocator, ServiceClaim } from '../../kube/service-allocator.ts';
import { allocateClusterIPs } from './allocate-cluster-ips.ts';
import { allocateNodePorts } from './allocate-node-ports.ts';
import { FieldFailure } from './field-failure.ts';
import { fillIPFamilies } from './ip-families.ts';
import { normalizeService } from './normalize-service.ts';
import { needsClusterIP, needsHealthCheckNodePort, needsNodePorts, nodePortsOf, specOf } from './service-fields.ts';
import { validateUpdate } from './validate-update.ts';

export interface ServiceAllocatorOptions {
  /** One or two blocks, one of each family at most; the first is the cluster's primary family. */
  readonly serviceCIDRs: readonly string[];
  /** Default 30000-32767. */
  readonly nodePortRange?: string | undefined;
  /** Where in a band a search starts; undefined goes on behind the last one that was chosen. */
  readonly random?: Random | undefined;
}

/** The allocator of a cluster with these ranges. Throws UserError for ranges that cannot be used. */
export function createServiceAllocator(options: ServiceAllocatorOptions): ServiceAllocator {
  const ranges = options.serviceCIDRs.map((text) => parseAddressRange(text));
  const cursors = new Map(ranges.map((range) => [range, { next: 0n }]));
  const ports = parsePortRange(options.nodePortRange ?? '30000-32767');
  return {
    allocate: (allocation) => allocate(allocation, { ranges, cursors, ports, random: options.random }),
    claims,
  };
}

interface Ranges {
  readonly ranges: readonly AddressRange[];
  readonly cursors: ReadonlyMap<AddressRange, Cursor>;
  readonly ports: PortRange;
  readonly random: Random | undefined;
}

function allocate(
  { service, previous, isFree }: ServiceAllocation,
  { ranges, cursors, ports, random }: Ranges,
): Service {
  const before = previous === undefined ? undefined : specOf(previous);
  try {
    const meant = normalizeService(specOf(service), before);
    const families = fillIPFamilies(
      meant,
      before,
      ranges.map(({ family }) => family),
    );
    if ('errors' in families) throw new FieldFailure(families.errors);
    const addressIsFree = (address: string): boolean => isFree({ type: 'clusterIP', address });
    const addressed = allocateClusterIPs(families.spec, before, { ranges, random, cursors, isFree: addressIsFree });
    // Before ports are chosen: a port that is taken must not hide that the update is not allowed at all.
    const errors = before === undefined ? [] : validateUpdate(addressed, before);
    if (errors.length > 0) throw new FieldFailure(errors);
    const portIsFree = (port: number): boolean => isFree({ type: 'nodePort', port, protocol: 'TCP' });
    return { ...service, spec: allocateNodePorts(addressed, before, { range: ports, random, isFree: portIsFree }) };
  } catch (error) {
    if (error instanceof FieldFailure) throw invalidObject(resources.services, service, error.errors as FieldError[]);
    throw error;
  }
}

// Upstream's allocator knows no protocols: TCP and UDP of one Service share a number, two Services never do. One claim
// under one protocol says exactly that.
function claims(service: Service): readonly ServiceClaim[] {
  const spec = specOf(service);
  const ports = new Set(needsNodePorts(spec) ? nodePortsOf(spec) : []);
  if (needsHealthCheckNodePort(spec) && spec.healthCheckNodePort) ports.add(spec.healthCheckNodePort);
  return [
    ...clusterIPsOf(spec).map((address) => ({ type: 'clusterIP', address }) as const),
    ...[...ports].map((port) => ({ type: 'nodePort', port, protocol: 'TCP' }) as const),
  ];
}

function clusterIPsOf(spec: ServiceSpec): readonly string[] {
  if (!needsClusterIP(spec)) return [];
  const ips = spec.clusterIPs?.length ? spec.clusterIPs : spec.clusterIP ? [spec.clusterIP] : [];
  return ips.map((ip) => canonicalAddress(ip)).filter((ip) => ip !== undefined);
}
