import type { FieldCause } from '../schema/contract.ts';
import type { KindRow } from './kind-table.ts';

/** Kinds whose addresses Kubernetes keeps from the loopback range. */
const kinds = ['/endpoints', '/services', 'discovery.k8s.io/endpointslices'];

const refusal = /^Invalid value: "([^"]+)": may not be in the loopback range/;

/** The rows with loopback addresses allowed for endpoints and external IPs where `admits` says so: some clusters have no others. */
export function admitEndpoints(
  rows: Readonly<Record<string, KindRow>>,
  admits: (address: string) => boolean,
): Readonly<Record<string, KindRow>> {
  const isLeft = ({ message }: FieldCause): boolean => {
    const [, address] = refusal.exec(message) ?? [];
    return address === undefined || !admits(address);
  };
  const admitted = Object.entries(rows).map(([key, row]) => [key, kinds.includes(key) ? filtered(row, isLeft) : row]);
  return Object.fromEntries(admitted) as Readonly<Record<string, KindRow>>;
}

function filtered(row: KindRow, isLeft: (cause: FieldCause) => boolean): KindRow {
  const { strategy } = row;
  if (strategy === undefined) return row;
  const { validate, update } = strategy;
  return {
    ...row,
    strategy: {
      ...strategy,
      ...(validate && { validate: (object, context) => validate(object, context).filter(isLeft) }),
      update: {
        ...update,
        ...(update.validate && {
          validate: (object, live, context) => update.validate?.(object, live, context).filter(isLeft) ?? [],
        }),
      },
    },
  };
}
