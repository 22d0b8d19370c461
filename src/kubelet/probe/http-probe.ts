import type { ClientRequest, IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import type { HTTPGetAction } from '../../kube/generated/types.ts';
import { dialError, joinHostPort, type ProbeOutcome } from './probe-outcome.ts';

const { request: requestHttp } = process.getBuiltinModule('node:http');

/** Opens a connection from where the probe is sent (the node). */
export type Dial = (host: string, port: number) => Socket;

export interface HttpProbeOptions {
  readonly action: HTTPGetAction;
  /** Used when the action names none: the pod's IP. */
  readonly host: string;
  readonly port: number;
  readonly dial: Dial;
  /** Ends the attempt; its reason is not looked at. */
  readonly signal: AbortSignal;
}

const MAX_REDIRECTS = 10;
const userAgent = 'kube-probe/1.33';

/** Asks an HTTP or HTTPS endpoint as the kubelet's probes do: 200 to 399 is success, redirects to the same host are followed. */
export async function probeHttp(options: HttpProbeOptions): Promise<ProbeOutcome> {
  const { action, port } = options;
  const scheme = (action.scheme ?? 'HTTP').toLowerCase();
  const host = action.host || options.host;
  const path = action.path ?? '/';
  let url = new URL(`${scheme}://${joinHostPort(host, port)}${path.startsWith('/') ? path : `/${path}`}`);
  for (let redirects = 0; ; redirects++) {
    const answer = await ask(url, options);
    if ('error' in answer) return { result: 'failure', message: `Get "${url.href}": ${answer.error}` };
    const next = redirectTarget(answer, url);
    if (next === undefined) return judge(answer.status);
    if (redirects === MAX_REDIRECTS)
      return { result: 'failure', message: `Get "${next.href}": stopped after 10 redirects` };
    url = next;
  }
}

interface Answer {
  readonly status: number;
  readonly location: string | undefined;
}

// A redirect to another host counts as an answer: the kubelet does not leave the pod.
function redirectTarget({ status, location }: Answer, from: URL): URL | undefined {
  if (![301, 302, 303, 307, 308].includes(status) || location === undefined) return undefined;
  const target = URL.canParse(location, from.href) ? new URL(location, from) : undefined;
  return target?.hostname === from.hostname ? target : undefined;
}

function judge(status: number): ProbeOutcome {
  if (status >= 200 && status < 400) return { result: 'success' };
  return { result: 'failure', message: `HTTP probe failed with statuscode: ${status}` };
}

async function ask(url: URL, options: HttpProbeOptions): Promise<Answer | { readonly error: string }> {
  const { signal } = options;
  try {
    const request = await open(url, options);
    return await new Promise<Answer>((resolve, reject) => {
      const onResponse = (response: IncomingMessage): void => {
        response.resume();
        resolve({ status: response.statusCode ?? 0, location: response.headers.location });
        request.destroy();
      };
      request.once('response', onResponse).on('error', reject).end();
    });
  } catch (error) {
    if (signal.aborted) return { error: 'context deadline exceeded (Client.Timeout exceeded while awaiting headers)' };
    return { error: describe(error, url) };
  }
}

async function open(url: URL, { action, dial, signal }: HttpProbeOptions): Promise<ClientRequest> {
  const isTls = url.protocol === 'https:';
  const host = url.hostname.replace(/^\[|\]$/g, '');
  const port = Number(url.port || (isTls ? 443 : 80));
  const socket = dial(host, port);
  const headers = new Map<string, string>([
    ['host', url.host],
    ['user-agent', userAgent],
    ['accept', '*/*'],
    ['connection', 'close'],
  ]);
  for (const { name, value } of action.httpHeaders ?? []) headers.set(name.toLowerCase(), value);
  const common = {
    path: url.pathname + url.search,
    headers: Object.fromEntries([...headers].filter(([, value]) => value !== '')),
    signal,
  };
  if (!isTls) return requestHttp({ ...common, createConnection: () => socket });
  const { connect } = await import('node:tls');
  return requestHttp({ ...common, createConnection: () => connect({ socket, rejectUnauthorized: false }) });
}

function describe(error: unknown, url: URL): string {
  const { code, syscall } = error as NodeJS.ErrnoException;
  if (syscall === 'connect')
    return dialError(joinHostPort(url.hostname.replace(/^\[|\]$/g, ''), url.port || 80), error);
  if (code === 'ECONNRESET') return 'EOF';
  return (error as Error).message;
}
