import { isLoopbackRange } from '../../kernel/loopback/ports.ts';
import type { FieldError } from '../../kube/field-error.ts';
import type { Service } from '../../kube/generated/types.ts';
import type { ServiceAllocator } from '../../kube/service-allocator.ts';
import { refuseServices } from './refuse-services.ts';

/** Refuses Services that sockets on 127.0.0.0/8 cannot carry: with addresses of other networks, and over SCTP. */
export function refuseForeignAddresses(allocator: ServiceAllocator): ServiceAllocator {
  return refuseServices(allocator, problemsOf);
}

function problemsOf({ spec }: Service): FieldError[] {
  const addresses = (spec?.externalIPs ?? []).flatMap((address, index) =>
    isLoopbackRange(address) ? [] : [forbidden(`externalIPs[${index}]`, 'has no addresses but those of 127.0.0.0/8')],
  );
  const ports = (spec?.ports ?? []).flatMap(({ protocol }, index) =>
    protocol === 'SCTP' ? [forbidden(`ports[${index}].protocol`, 'relays TCP and UDP only')] : [],
  );
  return [...addresses, ...ports];
}

function forbidden(field: string, why: string): FieldError {
  return { type: 'Forbidden', field: `spec.${field}`, detail: `the loopback tier ${why} (see towtank doctor)` };
}
