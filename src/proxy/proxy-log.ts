/** A line of the proxy's log. */
export interface ProxyLog {
  readonly level: 'info' | 'warning' | 'error';
  readonly message: string;
  readonly error?: unknown;
}
