/** What every error of towtank carries: a stable `code` (API), a message (not API) and a `hint` that says what to do next. */
export interface TowtankErrorOptions {
  readonly code: ErrorCode;
  readonly message: string;
  readonly hint?: string | undefined;
  readonly cause?: unknown;
}

/** Codes are API: docs/reference/errors.md has a line for each. `usage` family exits 2, `internal` exits 70. */
export type ErrorCode =
  | 'ERR_USAGE'
  | 'ERR_INVALID_MANIFEST'
  | 'ERR_INVALID_CONFIG'
  | 'ERR_INVALID_ADDRESS'
  | 'ERR_RANGE_FULL'
  | 'ERR_ALREADY_ALLOCATED'
  | 'ERR_NOT_IN_RANGE'
  | 'ERR_CLUSTER_EXISTS'
  | 'ERR_CLUSTER_KEPT'
  | 'ERR_CLUSTER_NOT_FOUND'
  | 'ERR_CLUSTER_START'
  | 'ERR_STATE_DIR'
  | 'ERR_TIER'
  | 'ERR_PORT_TAKEN'
  | 'ERR_PROXY_EXISTS'
  | 'ERR_NO_USER_NAMESPACES'
  | 'ERR_MISSING_PROGRAM'
  | 'ERR_MISSING_KERNEL_FEATURE'
  | 'ERR_PERMISSION'
  | 'ERR_KERNEL_COMMAND'
  | 'ERR_NETLINK'
  | 'ERR_SYSCALL'
  | 'ERR_TIMEOUT'
  | 'ERR_PARSE_RULES'
  | 'ERR_STORE_CONFLICT'
  | 'ERR_STORE_COMPACTED'
  | 'ERR_STORE_CORRUPT'
  | 'ERR_STORE_UNAVAILABLE'
  | 'ERR_STORE_FUTURE_REVISION'
  | 'ERR_STORE_LEASE'
  | 'ERR_SNAPSHOT'
  | 'ERR_DNS_CONFIG'
  | 'ERR_API_STATUS'
  | 'ERR_API_UNREACHABLE'
  | 'ERR_API_CREDENTIALS'
  | 'ERR_INTERNAL';

/** Base of all errors that towtank throws on purpose. */
export class TowtankError extends Error {
  readonly code: ErrorCode;
  readonly hint: string | undefined;
  constructor(options: TowtankErrorOptions) {
    super(options.message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = new.target.name;
    this.code = options.code;
    this.hint = options.hint;
  }
}

/** The user can mend it: the CLI prints message and hint without a stack and exits 2. */
export class UserError extends TowtankError {}

/** True when `error` is one of ours with this code. */
export function hasCode(error: unknown, code: ErrorCode): error is TowtankError {
  return error instanceof TowtankError && error.code === code;
}
