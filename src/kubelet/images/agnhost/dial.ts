import { dialError, joinHostPort } from '../../probe/probe-outcome.ts';
import type { BuiltinContext } from '../builtin-image.ts';
import { askUdp } from '../serving/ask-udp.ts';
import { requestFromPod } from '../serving/request-from-pod.ts';

export interface DialOptions {
  readonly kind: string;
  /** A literal address. */
  readonly host: string;
  readonly port: number;
  /** Path without its slash, or the payload of a datagram. */
  readonly request: string;
  readonly tries: number;
}

const TIMEOUT_MS = 5_000;

/** What netexec's /dial answers: every response, and every failure in Go's words. */
export async function dial(
  context: BuiltinContext,
  options: DialOptions,
): Promise<{ readonly responses?: readonly string[]; readonly errors?: readonly string[] }> {
  const responses: string[] = [];
  const errors: string[] = [];
  let last = '';
  for (let i = 0; i < options.tries; i++) {
    try {
      last = await ask(context, options);
      responses.push(last);
    } catch (error) {
      last = '';
      errors.push((error as Error).message);
    }
  }
  return { ...(last === '' ? {} : { responses }), ...(errors.length === 0 ? {} : { errors }) };
}

async function ask(context: BuiltinContext, { kind, host, port, request }: DialOptions): Promise<string> {
  if (kind === 'sctp') throw new Error('sctp dial failed. err:protocol not supported');
  if (kind === 'udp') return askUdp(context, { host, port, payload: request, timeoutMs: TIMEOUT_MS });
  const address = joinHostPort(host, port);
  try {
    const { body } = await requestFromPod(context, { host, port, path: `/${request}`, timeoutMs: TIMEOUT_MS });
    return body;
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    throw new Error(`Get "http://${address}/${request}": ${code === undefined ? message : dialError(address, error)}`);
  }
}
