import type { NetworkNamespace } from '../../src/kernel/network-namespace.ts';
import { startProgram } from '../../src/kernel/programs.ts';
import { listenTcp, localPort } from '../../src/kernel/sockets.ts';
import type { KubeClient } from '../../src/kube/client.ts';
import { serveKubeClient } from './serve-kube-client.ts';

/** Path of a real kube-proxy, if one is at hand. */
export const KUBE_PROXY = process.env['KUBE_PROXY'];

/** Why comparisons with the real program are left out. */
export const WITHOUT_KUBE_PROXY = 'set KUBE_PROXY to the path of a kube-proxy program to compare with it';

export interface KubeProxyPeerOptions {
  readonly client: KubeClient;
  readonly nodeName: string;
  readonly mode: 'iptables' | 'nftables';
  /** More flags. */
  readonly flags?: readonly string[];
}

/** A real kube-proxy in a network namespace of its own, fed from a client through an API server on its loopback. */
export function startKubeProxy(
  netns: NetworkNamespace,
  { client, nodeName, mode, flags = [] }: KubeProxyPeerOptions,
): AsyncDisposable & { readonly pid: number; readonly log: () => string } {
  const fd = listenTcp(netns, { host: '127.0.0.1', port: 0 });
  const server = serveKubeClient(client, fd);
  const program = startProgram({
    netns,
    command: [
      KUBE_PROXY!,
      `--master=http://127.0.0.1:${localPort(fd)}`,
      '--kube-api-content-type=application/json',
      `--hostname-override=${nodeName}`,
      `--proxy-mode=${mode}`,
      '--conntrack-max-per-core=0',
      '--conntrack-tcp-timeout-established=0',
      '--conntrack-tcp-timeout-close-wait=0',
      ...(mode === 'nftables' ? ['--feature-gates=NFTablesProxyMode=true'] : []),
      ...flags,
    ],
  });
  let log = '';
  program.stderr.on('data', (chunk: Buffer) => {
    log = (log + chunk.toString()).slice(-20_000);
  });
  program.stdout.resume();
  return {
    pid: program.pid,
    log: () => log,
    [Symbol.asyncDispose]: async () => {
      program.kill('SIGKILL');
      await program.exited;
      server[Symbol.dispose]();
    },
  };
}
