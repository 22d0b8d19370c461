import { UserError } from '../errors/towtank-error.ts';
import { type BandedRange, nodePortStaticBand, pickFree } from './pick-free.ts';

/** A range of ports for node ports. */
export interface PortRange extends BandedRange {
  readonly first: number;
  readonly last: number;
}

export interface PickPortOptions {
  readonly isFree: (port: number) => boolean;
  readonly random?: (() => number) | undefined;
}

/** Parses `30000-32767` (both included), as `--service-node-port-range`; throws UserError ERR_INVALID_CONFIG. */
export function parsePortRange(text: string): PortRange {
  const match = /^(\d{1,5})-(\d{1,5})$/.exec(text);
  const first = Number(match?.[1]);
  const last = Number(match?.[2]);
  if (!match || first < 1 || last > 65535 || first > last) {
    throw new UserError({
      code: 'ERR_INVALID_CONFIG',
      message: `"${text}" is not a range of ports`,
      hint: 'write the first and the last port, as in 30000-32767',
    });
  }
  const size = BigInt(last - first + 1);
  return { first, last, size, staticBand: nodePortStaticBand(size) };
}

/** Why a port may not be handed out, in the real server's words; undefined when it may. */
export function portRangeProblem({ first, last }: PortRange, port: number): string | undefined {
  if (port >= first && port <= last) return undefined;
  return `provided port is not in the valid range. The range of valid ports is ${first}-${last}`;
}

/** A free port, dynamic band first; undefined when the range is full. */
export function pickPort(range: PortRange, { isFree, random }: PickPortOptions): number | undefined {
  const offset = pickFree(range, { random, isFree: (candidate) => isFree(range.first + Number(candidate)) });
  return offset === undefined ? undefined : range.first + Number(offset);
}
