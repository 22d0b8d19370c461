import { TowtankError } from '../../errors/towtank-error.ts';
import type { Clock } from '../../kube/clock.ts';
import { isRecord } from '../../kube/object-shape.ts';
import { timeOf } from '../../kube/timestamp.ts';
import type { ApiConnection, CredentialPlugin } from './api-connection.ts';

/** Runs a program to its end. Rejects when it cannot be started. */
export type RunPlugin = (command: {
  readonly command: readonly string[];
  /** Set in addition to the environment of this process. */
  readonly env: Readonly<Record<string, string>>;
}) => Promise<{ readonly exitCode: number | undefined; readonly stdout: string; readonly stderr: string }>;

/** What a plugin printed. */
export interface PluginCredential {
  readonly token: string | undefined;
  readonly certificate: { readonly cert: string; readonly key: string } | undefined;
}

/** Asks a credential plugin, once for as long as its answer is valid. */
export class PluginCredentials {
  readonly #plugin: CredentialPlugin;
  readonly #info: string;
  readonly #clock: Clock;
  readonly #run: RunPlugin;
  #known: { readonly answer: Promise<PluginCredential>; expires: number } | undefined;

  constructor(
    plugin: CredentialPlugin,
    { connection, clock, run }: { readonly connection: ApiConnection; readonly clock: Clock; readonly run: RunPlugin },
  ) {
    this.#plugin = plugin;
    this.#info = execInfo(plugin, connection);
    this.#clock = clock;
    this.#run = run;
  }

  /** Rejects with TowtankError ERR_API_CREDENTIALS when the plugin fails. */
  current(): Promise<PluginCredential> {
    if (this.#known !== undefined && this.#clock.now() < this.#known.expires) return this.#known.answer;
    const asked = this.#ask();
    const known = { answer: asked.then(({ credential }) => credential), expires: Number.POSITIVE_INFINITY };
    this.#known = known;
    asked.then(
      ({ expires }) => {
        known.expires = expires;
      },
      () => {
        if (this.#known === known) this.#known = undefined;
      },
    );
    return known.answer;
  }

  /** Asks anew the next time: what the plugin gave was refused. */
  forget(): void {
    this.#known = undefined;
  }

  async #ask(): Promise<{ readonly credential: PluginCredential; readonly expires: number }> {
    const { command, args, env } = this.#plugin;
    const run = { command: [command, ...args], env: { ...env, KUBERNETES_EXEC_INFO: this.#info } };
    const result = await this.#run(run).catch((cause: unknown) => {
      throw this.#failure(`cannot be started: ${(cause as Error).message}`, cause);
    });
    if (result.exitCode !== 0) {
      const said = result.stderr.trim().slice(-500);
      throw this.#failure(`ended with status ${result.exitCode ?? 'none'}${said && `: ${said}`}`);
    }
    return this.#read(result.stdout);
  }

  #read(stdout: string): { readonly credential: PluginCredential; readonly expires: number } {
    let printed: unknown;
    try {
      printed = JSON.parse(stdout);
    } catch (cause) {
      throw this.#failure('printed no JSON', cause);
    }
    const { kind, status } = isRecord(printed) ? printed : {};
    if (kind !== 'ExecCredential' || !isRecord(status)) throw this.#failure('printed no ExecCredential');
    const word = (name: string): string | undefined => (typeof status[name] === 'string' ? status[name] : undefined);
    const token = word('token');
    const cert = word('clientCertificateData');
    const key = word('clientKeyData');
    if (!token && !(cert && key)) throw this.#failure('printed neither a token nor a certificate with its key');
    return {
      credential: { token, certificate: cert && key ? { cert, key } : undefined },
      expires: timeOf(word('expirationTimestamp')) ?? Number.POSITIVE_INFINITY,
    };
  }

  #failure(what: string, cause?: unknown): TowtankError {
    const { command, installHint } = this.#plugin;
    return new TowtankError({
      code: 'ERR_API_CREDENTIALS',
      message: `credential plugin ${command} ${what}`,
      hint: installHint || 'run it by hand: it has to print an ExecCredential',
      cause,
    });
  }
}

function execInfo({ apiVersion, provideClusterInfo }: CredentialPlugin, connection: ApiConnection): string {
  const { server, ca, insecureSkipTlsVerify, tlsServerName } = connection;
  const cluster = {
    server,
    ...(tlsServerName === undefined ? {} : { 'tls-server-name': tlsServerName }),
    ...(insecureSkipTlsVerify ? { 'insecure-skip-tls-verify': true } : {}),
    ...(ca && 'text' in ca ? { 'certificate-authority-data': Buffer.from(ca.text).toString('base64') } : {}),
    ...(ca && 'file' in ca ? { 'certificate-authority': ca.file } : {}),
  };
  const spec = { ...(provideClusterInfo ? { cluster } : {}), interactive: false };
  return JSON.stringify({ apiVersion, kind: 'ExecCredential', spec });
}
