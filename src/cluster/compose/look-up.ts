import { isIP } from 'node:net';
import { PassThrough } from 'node:stream';
import { text } from 'node:stream/consumers';
import { UserError } from '../../errors/towtank-error.ts';
import type { NetworkNamespace } from '../../kernel/network-namespace.ts';
import type { Pod } from '../../kube/generated/types.ts';
import type { ExecOptions, ExitStatus, KubeletConnection } from '../../kube/kubelet-connection.ts';
import { execAt } from './exec-at.ts';

/** Addresses of a name as the C library resolves it on a node or at the client; rejects when there is none. */
export function lookUpAt(netns: NetworkNamespace, host: string): Promise<readonly string[]> {
  return lookUp(host, (options) => execAt(netns, options));
}

/** The same inside a pod, with its resolv.conf and hosts file. */
export function lookUpInPod(
  kubelets: KubeletConnection,
  pod: Pod,
  { container, host }: { readonly container: string; readonly host: string },
): Promise<readonly string[]> {
  return lookUp(host, (options) => kubelets.exec(pod, container, options));
}

async function lookUp(host: string, run: (options: ExecOptions) => Promise<ExitStatus>): Promise<readonly string[]> {
  const stdout = new PassThrough();
  const output = text(stdout);
  const { exitCode } = await run({
    command: ['getent', 'ahosts', host],
    stdout,
    tty: false,
    signal: new AbortController().signal,
  });
  stdout.end();
  const words = (await output).split('\n').map((line) => line.split(/\s+/)[0] ?? '');
  const addresses = [...new Set(words.filter((word) => isIP(word) !== 0))];
  if (exitCode === 0 && addresses.length > 0) return addresses;
  throw new UserError({
    code: 'ERR_SYSCALL',
    message: `the name ${host} was not found`,
    hint: 'names of Services resolve in pods only',
  });
}
