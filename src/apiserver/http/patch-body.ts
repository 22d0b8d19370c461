import { badRequest } from '../machinery/errors.ts';

/** The JSON of a patch. Throws ApiStatusError BadRequest. */
export function parsePatchBody(body: Buffer): unknown {
  try {
    return JSON.parse(body.toString());
  } catch (cause) {
    const message = cause instanceof Error ? cause.message : String(cause);
    throw Object.assign(badRequest(`error decoding patch: ${message}`), { cause });
  }
}
