import { joinHostPort, type ProbeOutcome } from './probe-outcome.ts';
import type { TcpProbeOptions } from './tcp-probe.ts';

const STATUS_NAMES = ['UNKNOWN', 'SERVING', 'NOT_SERVING', 'SERVICE_UNKNOWN'] as const;
const UNIMPLEMENTED = '12';

export interface GrpcProbeOptions extends TcpProbeOptions {
  /** Name of the service to ask for; '' means the server as a whole. */
  readonly service: string;
}

/** Calls grpc.health.v1.Health/Check without TLS: success when the answer is SERVING. */
export async function probeGrpc(options: GrpcProbeOptions): Promise<ProbeOutcome> {
  const { host, port, signal } = options;
  try {
    const { grpcStatus, status } = await check(options);
    if (grpcStatus === UNIMPLEMENTED) {
      return {
        result: 'failure',
        message: 'error: this server does not implement the grpc health protocol (grpc.health.v1.Health)',
      };
    }
    if (grpcStatus !== '0')
      return { result: 'failure', message: `error: health rpc probe failed: status ${grpcStatus}` };
    const name = STATUS_NAMES[status] ?? String(status);
    return name === 'SERVING'
      ? { result: 'success' }
      : { result: 'failure', message: `service unhealthy (responded with "${name}")` };
  } catch (error) {
    const address = joinHostPort(host, port);
    const why = signal.aborted ? `timeout: failed to connect service "${address}"` : (error as Error).message;
    return { result: 'failure', message: signal.aborted ? why : `error: health rpc probe failed: ${why}` };
  }
}

async function check({
  host,
  port,
  dial,
  signal,
  service,
}: GrpcProbeOptions): Promise<{ grpcStatus: string; status: number }> {
  const { connect } = await import('node:http2');
  const authority = joinHostPort(host, port);
  const session = connect(`http://${authority}`, { createConnection: () => dial(host, port) });
  try {
    return await new Promise((resolve, reject) => {
      session.once('error', reject);
      const stream = session.request(
        {
          ':method': 'POST',
          ':path': '/grpc.health.v1.Health/Check',
          'content-type': 'application/grpc',
          te: 'trailers',
        },
        { signal },
      );
      const chunks: Buffer[] = [];
      let grpcStatus = '';
      const note = (headers: Record<string, unknown>): void => {
        grpcStatus = String(headers['grpc-status'] ?? grpcStatus);
      };
      stream.on('response', note).on('trailers', note).on('error', reject);
      stream.on('data', (chunk: Buffer) => chunks.push(chunk));
      stream.on('end', () => resolve({ grpcStatus, status: decodeStatus(Buffer.concat(chunks)) }));
      stream.end(encodeRequest(service));
    });
  } finally {
    session.destroy();
  }
}

// A gRPC frame (flag, length) around HealthCheckRequest { string service = 1 }.
function encodeRequest(service: string): Buffer {
  const name = Buffer.from(service).subarray(0, 127);
  const message = name.length === 0 ? Buffer.alloc(0) : Buffer.concat([Buffer.from([0x0a, name.length]), name]);
  const frame = Buffer.alloc(5);
  frame.writeUInt32BE(message.length, 1);
  return Buffer.concat([frame, message]);
}

// HealthCheckResponse { ServingStatus status = 1 }; an absent field is 0.
function decodeStatus(frame: Buffer): number {
  return frame.length >= 7 && frame[5] === 0x08 ? (frame[6] ?? 0) : 0;
}
