import { readFileSync, writeFileSync } from 'node:fs';

const PATH = '/etc/resolv.conf';
const MARK = '# written by towtank; what stood here before follows behind #:';
const BEFORE = '#: ';

export interface ClusterResolver {
  readonly nameservers: readonly string[];
  readonly search: readonly string[];
}

/**
 * Makes the machine's own programs ask cluster DNS first; nameservers that were there stay behind it, for what it refuses. The
 * file is written where it lies, as container engines mount it. To be used in a container only.
 */
export function pointResolver(resolver: ClusterResolver, path = PATH): void {
  restoreResolver(path);
  writeFileSync(path, printClusterResolver(resolver, readFileSync(path, 'utf8')));
}

/** Brings the file of before back; one that was not changed is left alone. */
export function restoreResolver(path = PATH): void {
  const text = readFileSync(path, 'utf8');
  if (!text.startsWith(MARK)) return;
  const lines = text.split('\n').filter((line) => line.startsWith(BEFORE));
  writeFileSync(path, lines.map((line) => `${line.slice(BEFORE.length)}\n`).join(''));
}

/** The text of a resolver file with cluster DNS in front of what `before` says. */
export function printClusterResolver({ nameservers, search }: ClusterResolver, before: string): string {
  const lines = before.split('\n').filter((line) => line !== '');
  const values = (keyword: string) =>
    lines.flatMap((line) => (line.startsWith(`${keyword} `) ? line.trim().split(/\s+/).slice(1) : []));
  // glibc asks three.
  const servers = [...nameservers, ...values('nameserver')].slice(0, 3);
  return [
    MARK,
    `search ${[...search, ...values('search')].join(' ')}`,
    ...servers.map((server) => `nameserver ${server}`),
    'options ndots:5',
    ...lines.map((line) => `${BEFORE}${line}`),
    '',
  ].join('\n');
}
