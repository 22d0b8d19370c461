/** Prints a message in the form of Kubernetes' log library: `I0131 13:05:09.001000       1 log.go:245] GET /hostname`. */
export function klogLine(ms: number, message: string): string {
  const time = new Date(ms).toISOString();
  const day = `${time.slice(5, 7)}${time.slice(8, 10)}`;
  return `I${day} ${time.slice(11, 23)}000       1 log.go:245] ${message}`;
}
