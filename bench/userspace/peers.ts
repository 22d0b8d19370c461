// The programs under comparison: each listens on ports of its own, pinned to one processor, and leads to the same backends.
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { bundlePrograms } from '../bundle.ts';

export const PROXY_CORE = '0';
export const LOAD_CORE = '1';
export const BACKEND = { http: 9001, bulk: 9002, udp: 9003 } as const;

/** Where a peer listens. */
export interface Peer {
  readonly name: string;
  /** Undefined for the direct way. */
  readonly pid: number | undefined;
  /** Default 127.0.0.1. */
  readonly host?: string;
  readonly http: number;
  readonly bulk: number;
  readonly udp: number | undefined;
}

// Not `option splice-auto`: strace shows that it carries such a transfer by recv and send all the same.
const HAPROXY = (splice: boolean, base: number): string => `
global
  maxconn 9500
  maxpipes 200
  nbthread 1
defaults
  mode tcp
  timeout connect 5s
  timeout client 1h
  timeout server 1h
${splice ? '  option splice-request\n  option splice-response' : ''}
listen http
  bind 127.0.0.1:${base}
  server backend 127.0.0.1:${BACKEND.http}
listen bulk
  bind 127.0.0.1:${base + 1}
  server backend 127.0.0.1:${BACKEND.bulk}
`;

const NGINX_STREAM = `
load_module /usr/lib/nginx/modules/ngx_stream_module.so;
daemon off; master_process off; pid /run/nginx-stream.pid; error_log stderr crit;
events { worker_connections 19000; }
stream {
  server { listen 127.0.0.1:7200; proxy_pass 127.0.0.1:${BACKEND.http}; }
  server { listen 127.0.0.1:7201; proxy_pass 127.0.0.1:${BACKEND.bulk}; }
  server { listen 127.0.0.1:7202 udp; proxy_pass 127.0.0.1:${BACKEND.udp}; }
}
`;

const NGINX_BACKEND = `
daemon off; master_process off; pid /run/nginx-backend.pid; error_log stderr crit;
events { worker_connections 19000; }
http {
  access_log off; keepalive_requests 1000000000; client_header_timeout 1h; keepalive_timeout 1h;
  server { listen 127.0.0.1:${BACKEND.http} backlog=4096; location / { return 200 "ok"; } }
}
`;

const script = (name: string): string => new URL(name, import.meta.url).pathname;
const running = new Set<ChildProcess>();

/** Starts a program on one processor. It is killed by `stopAll`. */
export function start(core: string, command: readonly string[], stdin: 'pipe' | 'ignore' = 'ignore'): ChildProcess {
  const child = spawn('taskset', ['-c', core, ...command], { stdio: [stdin, 'pipe', 'inherit'] });
  running.add(child);
  return child;
}

export function stopAll(): void {
  for (const child of running) child.kill('SIGKILL');
}

/** Runs a program to its end and resolves with what it printed. */
export async function run(core: string, command: readonly string[]): Promise<string> {
  const child = start(core, command);
  let text = '';
  child.stdout!.on('data', (chunk: Buffer) => {
    text += chunk.toString();
  });
  await once(child, 'close');
  running.delete(child);
  return text;
}

function configured(name: string, text: string): string {
  const path = `/run/${name}`;
  writeFileSync(path, text);
  return path;
}

/** Starts backends and peers; resolves when all of them listen. */
export async function startPeers(): Promise<readonly Peer[]> {
  start(LOAD_CORE, ['nginx', '-c', configured('backend.conf', NGINX_BACKEND)]);
  start(LOAD_CORE, ['iperf3', '-s', '-p', String(BACKEND.bulk)]).stdout!.resume();
  start(LOAD_CORE, [process.execPath, script('udp-echo.ts'), String(BACKEND.udp)]);
  const haproxy = start(PROXY_CORE, ['haproxy', '-f', configured('haproxy.cfg', HAPROXY(false, 7000))]);
  const splice = start(PROXY_CORE, ['haproxy', '-f', configured('splice.cfg', HAPROXY(true, 7100))]);
  const nginx = start(PROXY_CORE, ['nginx', '-c', configured('stream.conf', NGINX_STREAM)]);
  const endpoints = [`tcp:${BACKEND.http}`, `tcp:${BACKEND.bulk}`, `udp:${BACKEND.udp}`];
  const { relay, ports } = await startRelay(endpoints);
  const [http = 0, bulk = 0, udp = 0] = ports;
  const peers: readonly Peer[] = [
    { name: 'direct', pid: undefined, ...BACKEND },
    { name: 'HAProxy', pid: haproxy.pid, http: 7000, bulk: 7001, udp: undefined },
    { name: 'HAProxy splice', pid: splice.pid, http: 7100, bulk: 7101, udp: undefined },
    { name: 'nginx', pid: nginx.pid, http: 7200, bulk: 7201, udp: 7202 },
    { name: 'towtank', pid: relay.pid, http, bulk, udp },
  ];
  for (const peer of peers) await untilListening([peer.http, peer.bulk]);
  return peers;
}

/** Starts our relay as it is installed. */
export async function startRelay(
  endpoints: readonly string[],
): Promise<{ readonly relay: ChildProcess; readonly ports: readonly number[] }> {
  const dir = await bundlePrograms('userspace', {
    relay: 'bench/userspace/relay.ts',
    'engine-thread': 'src/proxy/userspace/engine/engine-thread.ts',
  });
  const relay = start(PROXY_CORE, [process.execPath, `${dir}/relay.js`, ...endpoints]);
  const ports = JSON.parse(String((await once(relay.stdout!, 'data'))[0])) as number[];
  return { relay, ports };
}

async function untilListening(ports: readonly number[]): Promise<void> {
  const hex = ports.map((port) => `:${port.toString(16).toUpperCase().padStart(4, '0')} 00000000:0000 0A`);
  for (;;) {
    const table =
      readFileSync('/proc/net/tcp', 'utf8') +
      readFileSync('/proc/net/tcp6', 'utf8').replaceAll(/0{32}:0000/g, '00000000:0000');
    if (hex.every((text) => table.includes(text))) return;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

/** Processor time that a process has used, in seconds; 0 for none. */
export function processorSeconds(pid: number | undefined): number {
  if (pid === undefined) return 0;
  const tasks = readdirSync(`/proc/${pid}/task`);
  const nanoseconds = tasks.map((task) =>
    Number(readFileSync(`/proc/${pid}/task/${task}/schedstat`, 'utf8').split(' ')[0]),
  );
  return nanoseconds.reduce((sum, each) => sum + each, 0) / 1e9;
}

/** Resident memory of a process, in bytes. */
export function residentBytes(pid: number): number {
  return memoryOf(pid, 'VmRSS');
}

/** Of these the pages of program files, which all processes with the same program share. */
export function sharedBytes(pid: number): number {
  return memoryOf(pid, 'RssFile');
}

function memoryOf(pid: number, field: string): number {
  const line = new RegExp(`${field}:\\s+(\\d+)`).exec(readFileSync(`/proc/${pid}/status`, 'utf8'));
  return Number(line?.[1] ?? 0) * 1024;
}
