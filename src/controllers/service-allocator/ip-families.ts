import type { IPFamily } from '../../ipam/address.ts';
import { familyOf } from '../../ipam/address.ts';
import type { FieldError } from '../../kube/field-error.ts';
import type { ServiceSpec } from '../../kube/generated/types.ts';
import { isHeadlessWithoutSelector, needsClusterIP, sameList } from './service-fields.ts';

/** The spec with ipFamilyPolicy and ipFamilies filled in, or what is wrong with it. */
export type FamilyResult = { readonly spec: ServiceSpec } | { readonly errors: readonly FieldError[] };

/** `families`: those of the cluster's ranges, its primary one first. */
export function fillIPFamilies(
  spec: ServiceSpec,
  previous: ServiceSpec | undefined,
  families: readonly IPFamily[],
): FamilyResult {
  if (!needsClusterIP(spec) || keepsPreferDualStack(spec, previous)) return { spec };
  const withPolicy = {
    ...spec,
    ipFamilyPolicy: spec.ipFamilyPolicy ?? previous?.ipFamilyPolicy ?? defaultPolicy(spec),
  };
  const loose = validateFields(withPolicy);
  if (loose.length > 0) return { errors: loose };
  const reduced = previous === undefined ? [] : reductionErrors(withPolicy, previous);
  const narrowed = previous === undefined ? withPolicy : narrow(withPolicy, previous);
  const inferred = inferFamilies(narrowed, families);
  const errors = [...reduced, ...singleStackErrors(narrowed), ...inferred.errors];
  if (errors.length > 0) return { errors };
  return completeFamilies(inferred.spec, families);
}

function defaultPolicy(spec: ServiceSpec): string {
  return isHeadlessWithoutSelector(spec) ? 'RequireDualStack' : 'SingleStack';
}

// A cluster that became dual stack (or ceased to be) changes no Service by itself.
function keepsPreferDualStack(spec: ServiceSpec, previous: ServiceSpec | undefined): boolean {
  return (
    previous !== undefined &&
    previous.type === spec.type &&
    spec.ipFamilyPolicy === 'PreferDualStack' &&
    (previous.ipFamilyPolicy ?? 'PreferDualStack') === 'PreferDualStack' &&
    sameList(spec.clusterIPs, previous.clusterIPs) &&
    sameList(spec.ipFamilies, previous.ipFamilies)
  );
}

function validateFields(spec: ServiceSpec): readonly FieldError[] {
  const { clusterIP = '', clusterIPs = [], ipFamilies = [], ipFamilyPolicy } = spec;
  const errors: FieldError[] = [];
  const invalid = (field: string, value: unknown, detail: string): void =>
    void errors.push({ type: 'Invalid', field, value, detail });
  if (clusterIP === '' && clusterIPs.length > 0) {
    invalid('spec.clusterIPs', clusterIPs, 'must be empty when `clusterIP` is not specified');
  } else if (clusterIP !== '' && clusterIPs.length === 0) {
    errors.push({ type: 'Required', field: 'spec.clusterIPs', detail: '' });
  } else if (clusterIP !== (clusterIPs[0] ?? '')) {
    invalid('spec.clusterIPs', clusterIPs, 'first value must match `clusterIP`');
  }
  for (const [i, value] of ipFamilies.entries()) {
    const field = `spec.ipFamilies[${i}]`;
    if (value !== 'IPv4' && value !== 'IPv6')
      errors.push({ type: 'NotSupported', field, value, supported: ['IPv4', 'IPv6'] });
    if (ipFamilies.indexOf(value) < i) errors.push({ type: 'Duplicate', field, value });
  }
  const policies = ['PreferDualStack', 'RequireDualStack', 'SingleStack'];
  if (ipFamilyPolicy !== undefined && !policies.includes(ipFamilyPolicy)) {
    errors.push({ type: 'NotSupported', field: 'spec.ipFamilyPolicy', value: ipFamilyPolicy, supported: policies });
  }
  return [...errors, ...clusterIPErrors(clusterIPs, ipFamilies)];
}

function clusterIPErrors(clusterIPs: readonly string[], ipFamilies: readonly string[]): readonly FieldError[] {
  const errors: FieldError[] = [];
  const whole = (detail: string): void =>
    void errors.push({ type: 'Invalid', field: 'spec.clusterIPs', value: clusterIPs, detail });
  const each = (i: number, detail: string): void =>
    void errors.push({ type: 'Invalid', field: `spec.clusterIPs[${i}]`, value: clusterIPs[i], detail });
  const headless = clusterIPs[0] === 'None';
  if (headless && clusterIPs.length > 1) whole("'None' must be the first and only value");
  const families = clusterIPs.map((ip) => familyOf(ip));
  for (const [i, family] of families.entries()) {
    if (family === undefined && !(headless && i === 0))
      each(i, 'must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)');
  }
  if (clusterIPs.length > 2) whole('may only hold up to 2 values');
  if (headless || errors.length > 0) return errors;
  if (clusterIPs.length > 1 && families[0] === families[1]) whole('may specify no more than one IP for each IP family');
  for (const [i, family] of families.entries()) {
    const wanted = ipFamilies[i];
    if (wanted !== undefined && family !== wanted)
      each(i, `expected an ${wanted} value as indicated by \`ipFamilies[${i}]\``);
  }
  return errors;
}

function reductionErrors(spec: ServiceSpec, previous: ServiceSpec): readonly FieldError[] {
  if (spec.ipFamilyPolicy === 'SingleStack') return [];
  const reduced = (now: readonly string[] = [], before: readonly string[] = []): boolean =>
    now.length > 0 && now.length < before.length;
  return [
    ...(reduced(spec.clusterIPs, previous.clusterIPs)
      ? [policyError(spec, "must be 'SingleStack' to release the secondary cluster IP")]
      : []),
    ...(reduced(spec.ipFamilies, previous.ipFamilies)
      ? [policyError(spec, "must be 'SingleStack' to release the secondary IP family")]
      : []),
  ];
}

// Turning to SingleStack without touching the lists is clear intent: the secondary address goes.
function narrow(spec: ServiceSpec, previous: ServiceSpec): ServiceSpec {
  if (spec.ipFamilyPolicy !== 'SingleStack') return spec;
  const first = (
    now: readonly string[] | undefined,
    before: readonly string[] | undefined,
  ): readonly string[] | undefined =>
    now !== undefined && now.length > 1 && sameList(now, before) ? now.slice(0, 1) : now;
  const { clusterIPs, ipFamilies } = spec;
  return {
    ...spec,
    ...(clusterIPs ? { clusterIPs: first(clusterIPs, previous.clusterIPs) } : {}),
    ...(ipFamilies ? { ipFamilies: first(ipFamilies, previous.ipFamilies) } : {}),
  };
}

function singleStackErrors(spec: ServiceSpec): readonly FieldError[] {
  if (spec.ipFamilyPolicy !== 'SingleStack') return [];
  const detail = (what: string): string =>
    `must be 'RequireDualStack' or 'PreferDualStack' when multiple ${what} are specified`;
  return [
    ...(spec.clusterIPs?.length === 2 ? [policyError(spec, detail('cluster IPs'))] : []),
    ...(spec.ipFamilies?.length === 2 ? [policyError(spec, detail('IP families'))] : []),
  ];
}

function inferFamilies(
  spec: ServiceSpec,
  families: readonly IPFamily[],
): { readonly spec: ServiceSpec; readonly errors: readonly FieldError[] } {
  const { clusterIPs = [], ipFamilies = [] } = spec;
  const inferred: string[] = [...ipFamilies];
  const errors: FieldError[] = [];
  for (const [i, ip] of clusterIPs.entries()) {
    const family = familyOf(ip);
    if (family === undefined || i < inferred.length) continue;
    if (families.includes(family)) inferred.push(family);
    else {
      const detail = `${family} is not configured on this cluster`;
      errors.push({ type: 'Invalid', field: `spec.clusterIPs[${i}]`, value: clusterIPs, detail });
    }
  }
  return { spec: inferred.length === 0 ? spec : { ...spec, ipFamilies: inferred }, errors };
}

function completeFamilies(spec: ServiceSpec, families: readonly IPFamily[]): FamilyResult {
  const dual = spec.ipFamilyPolicy !== 'SingleStack';
  const own = spec.ipFamilies?.length ? spec.ipFamilies : families.slice(0, 1);
  const both = own.length === 1 ? [own[0]!, own[0] === 'IPv4' ? 'IPv6' : 'IPv4'] : own;
  if (isHeadlessWithoutSelector(spec)) return { spec: { ...spec, ipFamilies: dual ? both : own } };
  const errors: FieldError[] = [];
  if (spec.ipFamilyPolicy === 'RequireDualStack' && families.length < 2) {
    errors.push(policyError(spec, 'this cluster is not configured for dual-stack services'));
  }
  for (const [i, value] of (spec.ipFamilies ?? []).entries()) {
    if (!(families as readonly string[]).includes(value)) {
      errors.push({ type: 'Invalid', field: `spec.ipFamilies[${i}]`, value, detail: 'not configured on this cluster' });
    }
  }
  if (errors.length > 0) return { errors };
  return { spec: { ...spec, ipFamilies: dual && families.length === 2 ? both : own } };
}

function policyError(spec: ServiceSpec, detail: string): FieldError {
  return { type: 'Invalid', field: 'spec.ipFamilyPolicy', value: spec.ipFamilyPolicy, detail };
}
