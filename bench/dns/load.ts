import { spawn } from 'node:child_process';
import { once } from 'node:events';

/** What one run of dnsperf measured. */
export interface Load {
  /** Answers in a second. */
  readonly rate: number;
  /** Share of queries that were not answered. */
  readonly lost: number;
  /** Microseconds from query to answer, sorted; empty unless each was asked to be told. */
  readonly latencies: readonly number[];
}

export interface LoadOptions {
  readonly port: number;
  /** Path of the questions. */
  readonly file: string;
  readonly seconds: number;
  readonly cpu: number;
  readonly tcp?: boolean;
  /** Queries in a second, evenly, and each answer's time; as many as are answered without it. */
  readonly at?: number;
}

/** Asks a server on loopback from one pinned core. */
export async function runLoad({ port, file, seconds, cpu, tcp, at }: LoadOptions): Promise<Load> {
  const clients = at === undefined ? ['-c', '20', '-q', '200'] : ['-c', '4', '-q', '100', '-Q', String(at), '-v'];
  const transport = tcp === true ? ['-m', 'tcp'] : [];
  const args = ['-s', '127.0.0.1', '-p', String(port), '-d', file, '-l', String(seconds), ...clients, ...transport];
  const ahead = at !== undefined && process.getuid?.() === 0 ? ['chrt', '-f', '10'] : [];
  const child = spawn('taskset', ['-c', String(cpu), ...ahead, 'dnsperf', ...args], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const chunks: Buffer[] = [];
  child.stdout.on('data', (chunk: Buffer) => chunks.push(chunk));
  const [status] = (await once(child, 'close')) as [number | null];
  const text = Buffer.concat(chunks).toString();
  if (status !== 0) throw new Error(`dnsperf exited ${status}: ${text.slice(-2000)}`);
  const number = (pattern: RegExp): number => Number(pattern.exec(text)?.[1] ?? Number.NaN);
  const told = [...text.matchAll(/^> \w+ \S+ \w+ (\d+\.\d+)$/gm)].map(([, time]) => Number(time) * 1e6);
  return {
    rate: number(/Queries per second:\s+([\d.]+)/),
    lost: number(/Queries lost:\s+(\d+)/) / number(/Queries sent:\s+(\d+)/),
    latencies: told.sort((a, b) => a - b),
  };
}
