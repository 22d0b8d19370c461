/** A text as it is, or the file that holds it; a file is read again now and then, as its owner may renew it. */
export type TextSource = { readonly text: string } | { readonly file: string };

/** A program that prints credentials (client.authentication.k8s.io). */
export interface CredentialPlugin {
  readonly apiVersion: string;
  readonly command: string;
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly installHint: string;
  /** The plugin wants to know which cluster it is asked for. */
  readonly provideClusterInfo: boolean;
}

/** How a client proves who it is; what is absent is not used. */
export interface ApiCredential {
  readonly certificate?: { readonly cert: TextSource; readonly key: TextSource } | undefined;
  /** Bearer tokens in order of preference: a file that cannot be read gives way to the next. */
  readonly tokens: readonly TextSource[];
  readonly basic?: { readonly username: string; readonly password: string } | undefined;
  readonly plugin?: CredentialPlugin | undefined;
  /** Impersonate-User and its siblings. */
  readonly headers: Readonly<Record<string, string | readonly string[]>>;
}

/** Where an API server is and how to speak to it: what a context of a kubeconfig says. */
export interface ApiConnection {
  /** `https://10.0.0.1:6443`, perhaps with a path. */
  readonly server: string;
  /** Undefined: the authorities that the system trusts. */
  readonly ca: TextSource | undefined;
  readonly insecureSkipTlsVerify: boolean;
  readonly tlsServerName: string | undefined;
  /** Namespace of the context; 'default' when it names none. */
  readonly namespace: string;
  readonly credential: ApiCredential;
}
