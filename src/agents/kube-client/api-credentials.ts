import type { OutgoingHttpHeaders } from 'node:http';
import { TowtankError } from '../../errors/towtank-error.ts';
import type { Clock } from '../../kube/clock.ts';
import type { ApiConnection, ApiCredential, TextSource } from './api-connection.ts';
import { type PluginCredential, PluginCredentials, type RunPlugin } from './plugin-credential.ts';
import { TextReader } from './text-reader.ts';

/** What goes into the next request. */
export interface CurrentCredential {
  readonly headers: OutgoingHttpHeaders;
  readonly tls: {
    readonly ca: string | undefined;
    readonly cert: string | undefined;
    readonly key: string | undefined;
  };
}

export interface ApiCredentialsOptions {
  readonly connection: ApiConnection;
  readonly clock: Clock;
  /** Needed by connections with a credential plugin. */
  readonly runPlugin?: RunPlugin | undefined;
}

/** The credentials of a connection as they are now: files are read again, plugins asked again. */
export class ApiCredentials {
  readonly #connection: ApiConnection;
  readonly #credential: ApiCredential;
  readonly #texts: TextReader;
  readonly #plugin: PluginCredentials | undefined;

  constructor({ connection, clock, runPlugin }: ApiCredentialsOptions) {
    this.#connection = connection;
    this.#credential = connection.credential;
    this.#texts = new TextReader(clock);
    const { plugin } = connection.credential;
    if (plugin === undefined) return;
    if (runPlugin === undefined) throw new TypeError('a credential plugin needs runPlugin');
    this.#plugin = new PluginCredentials(plugin, { connection, clock, run: runPlugin });
  }

  /** True when a refused request may be worth repeating after forget(). */
  get renewable(): boolean {
    return this.#plugin !== undefined || this.#credential.tokens.some((source) => 'file' in source);
  }

  /** Credentials were refused: they are looked up anew. */
  forget(): void {
    this.#texts.forget();
    this.#plugin?.forget();
  }

  /** Rejects with TowtankError ERR_API_CREDENTIALS when a file cannot be read or a plugin fails. */
  async current(): Promise<CurrentCredential> {
    const { ca } = this.#connection;
    const { certificate, headers } = this.#credential;
    const printed = await this.#plugin?.current();
    const authorization = await this.#authorization(printed);
    return {
      headers: {
        ...(headers as OutgoingHttpHeaders),
        ...(authorization === undefined ? {} : { authorization }),
      },
      tls: {
        ca: ca && (await this.#read(ca)),
        cert: printed?.certificate?.cert ?? (certificate && (await this.#read(certificate.cert))),
        key: printed?.certificate?.key ?? (certificate && (await this.#read(certificate.key))),
      },
    };
  }

  async #authorization(printed: PluginCredential | undefined): Promise<string | undefined> {
    if (printed?.token) return `Bearer ${printed.token}`;
    const { tokens, basic } = this.#credential;
    const last = tokens.at(-1);
    for (const source of tokens) {
      try {
        return `Bearer ${(await this.#read(source)).trim()}`;
      } catch (error) {
        // As in client-go, a token in the kubeconfig stands in for a file that cannot be read.
        if (source === last) throw error;
      }
    }
    return basic && `Basic ${Buffer.from(`${basic.username}:${basic.password}`).toString('base64')}`;
  }

  async #read(source: TextSource): Promise<string> {
    try {
      return await this.#texts.read(source);
    } catch (cause) {
      throw new TowtankError({
        code: 'ERR_API_CREDENTIALS',
        message: `cannot read credentials: ${(cause as Error).message}`,
        hint: 'the kubeconfig names this file',
        cause,
      });
    }
  }
}
