import { TowtankError } from '../../errors/towtank-error.ts';
import type { Status } from '../../kube/generated/types.ts';
import { isRecord } from '../../kube/object-shape.ts';
import { ApiStatusError, type StatusReason } from '../../kube/status.ts';

const REASONS: Readonly<Record<number, StatusReason>> = {
  400: 'BadRequest',
  401: 'Unauthorized',
  403: 'Forbidden',
  404: 'NotFound',
  405: 'MethodNotAllowed',
  406: 'NotAcceptable',
  409: 'Conflict',
  410: 'Expired',
  413: 'RequestEntityTooLarge',
  415: 'UnsupportedMediaType',
  422: 'Invalid',
  429: 'TooManyRequests',
  500: 'InternalError',
  503: 'ServiceUnavailable',
  504: 'Timeout',
};

/** An answer that is no success, as the error that in-process callers get. A proxy on the way may answer with plain text. */
export function statusError(code: number, body: string): ApiStatusError {
  let parsed: unknown;
  try {
    parsed = JSON.parse(body);
  } catch {
    parsed = undefined;
  }
  if (isRecord(parsed) && parsed['kind'] === 'Status') return toStatusError(parsed as unknown as Status, code);
  const reason = REASONS[code] ?? '';
  return new ApiStatusError(reason, `the server answered ${code}: ${body.trim().slice(0, 200)}`, undefined, code);
}

/** A Status object, from an answer or an ERROR event, as an error. */
export function toStatusError({ reason, message, details, code }: Status, answered = 500): ApiStatusError {
  const status = code ?? answered;
  return new ApiStatusError(
    (reason as StatusReason | undefined) ?? REASONS[status] ?? '',
    message ?? `the server answered ${status}`,
    details,
    status,
  );
}

/** No answer: the server is away, or its certificate is not to be trusted. */
export function unreachable(server: string, cause: Error): TowtankError {
  const isTrust = /certificate|altname|self.signed/i.test(`${(cause as NodeJS.ErrnoException).code} ${cause.message}`);
  return new TowtankError({
    code: 'ERR_API_UNREACHABLE',
    message: `cannot reach the API server at ${server}: ${cause.message || (cause as NodeJS.ErrnoException).code}`,
    hint: isTrust
      ? "is the kubeconfig's certificate authority that of this server?"
      : 'is it running, is the address right?',
    cause,
  });
}
