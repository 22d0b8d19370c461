import { dialError } from '../../probe/probe-outcome.ts';
import type { BuiltinContext, BuiltinProcess } from '../builtin-image.ts';
import { askUdp } from '../serving/ask-udp.ts';
import { BuiltinProgram } from '../serving/builtin-program.ts';
import { FlagError, parseFlags } from '../serving/parse-flags.ts';
import { connectFromPod } from '../serving/request-from-pod.ts';

const FLAGS = { timeout: 'duration', protocol: 'string', 'udp-data': 'string', 'sctp-data': 'string' } as const;
// Without --timeout a connection attempt lasts as long as the kernel repeats its SYN.
const KERNEL_TIMEOUT_MS = 130_000;

/** `agnhost connect HOST:PORT`: exits 0 when connected, else 1 with TIMEOUT, REFUSED, DNS, OTHER or UNKNOWN on standard error. */
export function connect(context: BuiltinContext, args: readonly string[]): BuiltinProcess {
  const program = new BuiltinProgram();
  void attempt(context, args).then(
    () => program.exit(0),
    (error: unknown) => {
      context.log((error as Error).message);
      program.exit(1);
    },
  );
  return program;
}

async function attempt(context: BuiltinContext, args: readonly string[]): Promise<void> {
  const { values, rest } = parseFlags(args, FLAGS);
  const [destination = ''] = rest;
  if (rest.length !== 1) throw new FlagError(`Error: accepts 1 arg(s), received ${rest.length}`);
  const protocol = values.get('protocol') ?? 'tcp';
  const timeoutMs = Number(values.get('timeout') ?? 0) || KERNEL_TIMEOUT_MS;
  const { host, port } = /^\[?(?<host>[^\]]*?)\]?:(?<port>\d+)$/.exec(destination)?.groups ?? {};
  if (host === undefined || port === undefined)
    throw new Error(`UNKNOWN: address ${destination}: missing port in address`);
  if (protocol === 'sctp') throw new Error('OTHER: protocol not supported');
  if (protocol !== 'tcp' && protocol !== 'udp') throw new Error(`Unsupported protocol\n${protocol}`);
  const [address = ''] = await context.resolve(host).catch((error: Error) => {
    throw new Error(`DNS: ${error.message}`);
  });
  const target = { host: address, port: Number(port), timeoutMs };
  if (protocol === 'tcp') return connectTcp(context, target, destination);
  await askUdp(context, { ...target, payload: `${values.get('udp-data') ?? 'hostname'}\n` }).catch(reportUdp);
}

async function connectTcp(
  context: BuiltinContext,
  target: { readonly host: string; readonly port: number; readonly timeoutMs: number },
  destination: string,
): Promise<void> {
  try {
    const socket = await connectFromPod(context, target);
    socket.destroy();
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ETIMEDOUT') throw new Error('TIMEOUT');
    if (code === 'ECONNREFUSED') throw new Error('REFUSED');
    throw new Error(`OTHER: ${dialError(destination, error)}`);
  }
}

function reportUdp(error: NodeJS.ErrnoException): never {
  if (error.code === 'ETIMEDOUT') throw new Error('TIMEOUT: i/o timeout');
  if (error.code === 'ECONNREFUSED') throw new Error('REFUSED: read: connection refused');
  throw new Error(`UNKNOWN: ${error.message}`);
}
