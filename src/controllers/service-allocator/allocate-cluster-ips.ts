import { canonicalAddress, type IPFamily } from '../../ipam/address.ts';
import { type AddressRange, addressRangeProblem, pickAddress } from '../../ipam/address-range.ts';
import type { Cursor } from '../../ipam/pick-free.ts';
import type { Random } from '../../kube/clock.ts';
import type { ServiceSpec } from '../../kube/generated/types.ts';
import { FieldFailure, internalError } from './field-failure.ts';
import { isHeadless, needsClusterIP } from './service-fields.ts';

export interface AddressSource {
  readonly ranges: readonly AddressRange[];
  readonly random: Random | undefined;
  /** Where searches without randomness go on, for each range. */
  readonly cursors: ReadonlyMap<AddressRange, Cursor>;
  /** False when another Service holds the address (canonical text). */
  readonly isFree: (address: string) => boolean;
}

/** Fills in clusterIP and clusterIPs for the families of the spec. Throws FieldFailure or ApiStatusError InternalError. */
export function allocateClusterIPs(
  spec: ServiceSpec,
  previous: ServiceSpec | undefined,
  source: AddressSource,
): ServiceSpec {
  if (!needsClusterIP(spec) || isHeadless(spec)) return spec;
  const held = previous !== undefined && needsClusterIP(previous) ? (previous.clusterIPs ?? []) : [];
  if (held[0] === 'None') return spec;
  const wished = spec.clusterIPs ?? [];
  // An update neither adds nor replaces the first address: what else stands there is left for validation to refuse.
  const clusterIPs = (spec.ipFamilies ?? []).map((family, index) => {
    const wish = wished[index];
    if (held.length > 0 && (index < held.length || held.length > 1)) return wish ?? '';
    return wish ? claimAddress(spec, wish, { ...source, family }) : nextAddress(source, family);
  });
  const rest = wished.slice(clusterIPs.length);
  const all = [...clusterIPs, ...rest].filter((ip) => ip !== '');
  return all.length === 0 ? spec : { ...spec, clusterIP: all[0], clusterIPs: all };
}

function claimAddress(spec: ServiceSpec, wish: string, source: AddressSource & { readonly family: string }): string {
  const range = source.ranges.find(({ family }) => family === source.family);
  const address = canonicalAddress(wish) ?? wish;
  const problem =
    range === undefined
      ? 'no range of this family'
      : (addressRangeProblem(range, wish) ?? (source.isFree(address) ? undefined : 'provided IP is already allocated'));
  if (problem === undefined) return address;
  const detail = `failed to allocate IP ${wish}: ${problem}`;
  throw new FieldFailure([{ type: 'Invalid', field: 'spec.clusterIPs', value: spec.clusterIPs, detail }]);
}

function nextAddress({ ranges, random, cursors, isFree }: AddressSource, family: string): string {
  const range = ranges.find((candidate) => candidate.family === (family as IPFamily));
  const address = range === undefined ? undefined : pickAddress(range, { isFree, random, cursor: cursors.get(range) });
  if (address === undefined) throw internalError('failed to allocate a serviceIP: range is full');
  return address;
}
