import { badRequest } from './errors.ts';

/** Where a list goes on: after this key (below the kind's prefix), as of this revision. */
export interface ContinueToken {
  readonly revision: number;
  readonly start: string;
}

/** What the real server says when the revision of a token was compacted away. */
export const EXPIRED_CONTINUE =
  'The provided continue parameter is too old to display a consistent list result. You can start a new list without the continue parameter.';

/** The token as clients carry it: base64url of the real server's JSON. */
export function encodeContinue({ revision, start }: ContinueToken): string {
  return Buffer.from(JSON.stringify({ v: 'meta.k8s.io/v1', rv: revision, start })).toString('base64url');
}

/** Throws ApiStatusError BadRequest for what encodeContinue did not make. */
export function decodeContinue(text: string): ContinueToken {
  try {
    const token: unknown = JSON.parse(Buffer.from(text, 'base64url').toString());
    const { v, rv, start } = token as Record<string, unknown>;
    if (
      v === 'meta.k8s.io/v1' &&
      typeof rv === 'number' &&
      Number.isSafeInteger(rv) &&
      rv > 0 &&
      typeof start === 'string'
    ) {
      return { revision: rv, start };
    }
  } catch (cause) {
    throw Object.assign(badRequest('invalid continue token: continue key is not valid'), { cause });
  }
  throw badRequest('continue key is not valid: unrecognized encoded version');
}
