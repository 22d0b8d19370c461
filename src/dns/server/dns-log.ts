export type LogLevel = 'info' | 'warning' | 'error';

/** Where a server's lines go: one call per line, without the line's end. */
export type DnsLog = (level: LogLevel, line: string) => void;

/** A line as CoreDNS prints it: `[WARNING] plugin/loop: ...`. */
export function printLogLine(level: LogLevel, line: string): string {
  return `[${level.toUpperCase()}] ${line}`;
}
