/** A value that a statement takes. */
export type SqlValue = string | number | Uint8Array | null;

/** One statement, run once for each row of parameters. */
export interface SqlStep {
  readonly sql: string;
  readonly rows: readonly (readonly SqlValue[])[];
}

/** What the writer thread is asked to do. */
export type WriterRequest =
  | { readonly type: 'open'; readonly path: string }
  /** All steps in one transaction, which begins and ends with this request unless told otherwise. */
  | { readonly type: 'run'; readonly steps: readonly SqlStep[]; readonly begin: boolean; readonly commit: boolean }
  | { readonly type: 'close' };

/** Its answer, in the order of the requests. */
export type WriterAnswer =
  | { readonly ok: true; readonly lastId: number }
  | { readonly ok: false; readonly message: string; readonly errcode: number | undefined };
