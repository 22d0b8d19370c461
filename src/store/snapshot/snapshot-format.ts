import { type TowtankError, UserError } from '../../errors/towtank-error.ts';

/** What the file is: eight bytes, then the number of the format. */
export const MAGIC = Buffer.from('TTNKSNAP');
export const FORMAT = 1;
/** Bytes of the SHA-256 at the end, over all before it. */
export const DIGEST_LENGTH = 32;
/** Magic, format and length of the header. */
export const PREAMBLE_LENGTH = MAGIC.length + 8;

/** What stands in front of the entries, as JSON. */
export interface SnapshotHeader {
  readonly revision: number;
  readonly entries: number;
  readonly leases: readonly { readonly id: string; readonly ttlSeconds: number }[];
  /** The engine that it was taken from. */
  readonly engine: string;
  /** RFC 3339. */
  readonly takenAt: string;
  /** What the taker adds for whoever restores: the cluster's name and configuration. */
  readonly about: unknown;
}

/** ERR_SNAPSHOT: the file is none, is damaged, or is of a version that this one does not know. */
export function snapshotError(path: string, problem: string, cause?: unknown): TowtankError {
  return new UserError({
    code: 'ERR_SNAPSHOT',
    message: `${path}: ${problem}`,
    hint: 'Nothing was changed. towtank snapshot save makes such files.',
    cause,
  });
}
