import { StoreUnavailableError } from '../store.ts';
import { GRPC, GrpcError } from './grpc-error.ts';

/** The store's error for what etcd refused; anything else as it is. */
export function etcdError(error: unknown): unknown {
  if (!(error instanceof GrpcError)) return error;
  return new StoreUnavailableError(`etcd refuses: ${error.message}`, {
    uncertain: error.uncertain,
    hint: hintFor(error),
    cause: error,
  });
}

/** True when asking again cannot help: another etcd, or one that does not let us in. */
export function isFinal(error: unknown): boolean {
  const cause = error instanceof StoreUnavailableError ? error.cause : error;
  return cause instanceof GrpcError && isDenied(cause);
}

/** True when the revision asked for is gone. */
export function isCompacted(error: unknown): boolean {
  return error instanceof GrpcError && error.grpcCode === GRPC.outOfRange && error.message.includes('compacted');
}

function isDenied({ grpcCode, message }: GrpcError): boolean {
  return (
    grpcCode === GRPC.permissionDenied ||
    grpcCode === GRPC.unauthenticated ||
    /authentication failed|user name is empty|permission denied/.test(message)
  );
}

function hintFor(error: GrpcError): string | undefined {
  if (isDenied(error))
    return 'Look at the user and password, and at what the roles of that user allow under the prefix.';
  if (error.message.includes('database space exceeded'))
    return 'Compact and defragment etcd, then: etcdctl alarm disarm. Nothing is lost.';
  if (/too large|larger than max/.test(error.message)) return 'etcd takes 1.5 MiB a request unless told otherwise.';
  return undefined;
}
