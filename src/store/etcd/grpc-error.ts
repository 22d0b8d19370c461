/** Codes of gRPC that matter here. */
export const GRPC = {
  ok: 0,
  unknown: 2,
  invalidArgument: 3,
  deadlineExceeded: 4,
  notFound: 5,
  permissionDenied: 7,
  resourceExhausted: 8,
  failedPrecondition: 9,
  outOfRange: 11,
  unavailable: 14,
  unauthenticated: 16,
} as const;

/** A call that did not succeed: what the server said, or why it was not heard. */
export class GrpcError extends Error {
  readonly grpcCode: number;
  /** True when the server may have done what was asked: the request went out and no refusal came back. */
  readonly uncertain: boolean;
  constructor(grpcCode: number, message: string, options: { uncertain: boolean; cause?: unknown }) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = 'GrpcError';
    this.grpcCode = grpcCode;
    this.uncertain = options.uncertain;
  }
}

// What etcd answers with `unavailable` before it proposes anything to its cluster.
const BEFORE_PROPOSAL = /no leader|too many requests|unhealthy cluster|not capable/;

// etcd applies the write with which its space ends, and refuses it all the same.
const MAYBE_APPLIED = /database space exceeded/;

/** The error for a status that is not ok. */
export function grpcError(code: number, message: string): GrpcError {
  const lost = code === GRPC.unavailable || code === GRPC.deadlineExceeded || code === GRPC.unknown;
  const uncertain = (lost && !BEFORE_PROPOSAL.test(message)) || MAYBE_APPLIED.test(message);
  return new GrpcError(code, message, { uncertain });
}
