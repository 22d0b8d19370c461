import { HttpKubeClient } from '../../agents/kube-client/http-kube-client.ts';
import { inClusterConnection } from '../../agents/kube-client/in-cluster.ts';
import { readKubeconfig } from '../../agents/kube-client/read-kubeconfig.ts';
import { runProgram } from '../../kernel/programs/run-program.ts';
import { systemClock } from '../compose/system-clock.ts';
import { towtankVersion } from '../version.ts';

export interface OpenKubeClientOptions {
  /** Path of a kubeconfig; default: the ServiceAccount of the pod that this process is in. */
  readonly kubeconfig?: string | undefined;
  /** One of its contexts; default the current one. */
  readonly context?: string | undefined;
  /** What it is: `towtank-dns` in the user agent `towtank-dns/0.1.0`. */
  readonly agent: string;
  /** Told of each list and watch that failed; they are tried again. */
  readonly onProblem: (error: unknown) => void;
}

/** The API of the server that a kubeconfig names. Throws UserError ERR_INVALID_CONFIG; whether anybody answers is seen later. */
export function openKubeClient({ kubeconfig, context, agent, onProblem }: OpenKubeClientOptions): HttpKubeClient {
  return new HttpKubeClient({
    connection: kubeconfig === undefined ? inClusterConnection(process.env) : readKubeconfig(kubeconfig, context),
    clock: systemClock,
    random: Math.random,
    userAgent: `${agent}/${towtankVersion()}`,
    runPlugin: ({ command, env }) => runProgram({ command, env: { ...definedEnvironment(), ...env } }),
    onProblem,
  });
}

function definedEnvironment(): Readonly<Record<string, string>> {
  return Object.fromEntries(Object.entries(process.env).flatMap(([name, value]) => (value ? [[name, value]] : [])));
}
