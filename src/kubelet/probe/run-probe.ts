import { Writable } from 'node:stream';
import type { Container, EphemeralContainer, Probe } from '../../kube/generated/types.ts';
import { ContainerStartError, type RunningContainer } from '../container/container-runtime.ts';
import { probeGrpc } from './grpc-probe.ts';
import { type Dial, probeHttp } from './http-probe.ts';
import type { ProbeOutcome } from './probe-outcome.ts';
import { probePort } from './probe-port.ts';
import { probeTcp } from './tcp-probe.ts';

/** The container that is probed and where it is found. */
export interface ProbeTarget {
  readonly container: Container | EphemeralContainer;
  readonly running: RunningContainer;
  readonly podIP: string;
  /** Connects from the node, as the kubelet does. */
  readonly dial: Dial;
}

// What the kubelet keeps of a command's output for its event.
const MAX_OUTPUT_BYTES = 10 * 1024;

/** Runs a probe of whatever kind once; resolves with what it found, never rejects. */
export async function runProbe(probe: Probe, target: ProbeTarget, signal: AbortSignal): Promise<ProbeOutcome> {
  try {
    if (probe.exec) return await probeExec(probe.exec.command ?? [], target, signal, probe.timeoutSeconds ?? 1);
    const action = probe.httpGet ?? probe.tcpSocket ?? probe.grpc;
    if (action === undefined) return { result: 'error', message: `missing probe handler for ${target.container.name}` };
    const port = probePort(action.port, target.container);
    if (port === undefined) return { result: 'error', message: `couldn't find port: ${action.port}` };
    const common = { host: target.podIP, port, dial: target.dial, signal };
    if (probe.httpGet) return await probeHttp({ ...common, action: probe.httpGet });
    if (probe.grpc) return await probeGrpc({ ...common, service: probe.grpc.service ?? '' });
    return await probeTcp({ ...common, host: probe.tcpSocket?.host || target.podIP });
  } catch (error) {
    return { result: 'error', message: (error as Error).message };
  }
}

async function probeExec(
  command: readonly string[],
  { running }: ProbeTarget,
  signal: AbortSignal,
  timeoutSeconds: number,
): Promise<ProbeOutcome> {
  const output = collect();
  try {
    const { exitCode } = await running.exec({
      command,
      stdout: output.stream,
      stderr: output.stream,
      tty: false,
      signal,
    });
    if (signal.aborted) {
      const message = `command timed out: "${command.join(' ')}" timed out after ${timeoutSeconds}s`;
      return { result: 'failure', message };
    }
    return exitCode === 0 ? { result: 'success' } : { result: 'failure', message: output.text() };
  } catch (error) {
    if (error instanceof ContainerStartError) return { result: 'error', message: error.message };
    throw error;
  }
}

/** A writable stream that keeps the first 10 KiB written to it. */
export function collect(): { readonly stream: Writable; readonly text: () => string } {
  const chunks: Buffer[] = [];
  let size = 0;
  const stream = new Writable({
    write(chunk: Buffer, _encoding, done) {
      if (size < MAX_OUTPUT_BYTES) chunks.push(chunk.subarray(0, MAX_OUTPUT_BYTES - size));
      size += chunk.length;
      done();
    },
  });
  return { stream, text: () => Buffer.concat(chunks).toString('utf8') };
}
