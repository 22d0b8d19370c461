/** One command line of the acceptance list, with what it must print and how it must end. */
export interface Flow {
  readonly section: string;
  readonly name: string;
  readonly command: string;
  readonly exit: number;
  /** Regular expression over stdout and stderr. */
  readonly match: string;
  readonly expected: string;
}

/** What a flow is with some clients. */
export type Exception =
  | { readonly type: 'skip'; readonly because: string; readonly instead?: never }
  | { readonly type: 'otherwise'; readonly instead: Partial<Pick<Flow, 'exit' | 'match'>> };

interface ClientException {
  /** Applies to clients before this minor version. */
  readonly before: number;
  readonly exception: Exception;
}

const skip = (because: string): Exception => ({ type: 'skip', because });
const otherwise = (instead: Partial<Pick<Flow, 'exit' | 'match'>>): Exception => ({ type: 'otherwise', instead });

// What clients say or lack; none of them is a difference of the server.
const exceptions: Readonly<Record<string, readonly ClientException[]>> = {
  annotate: [{ before: 28, exception: otherwise({ match: 'annotate' }) }],
  'auth-whoami': [{ before: 28, exception: skip('asks for authentication.k8s.io/v1beta1') }],
  debug: [{ before: 32, exception: otherwise({ match: '' }) }],
  'validate-strict': [{ before: 27, exception: skip('--validate knows only true and false') }],
  'validate-warn': [{ before: 27, exception: skip('--validate knows only true and false') }],
  'validate-badtype': [{ before: 27, exception: otherwise({ match: 'got "string", expected "integer"' }) }],
  completion: [{ before: 27, exception: skip('completes without asking the server') }],
  'get-json-managed': [{ before: 27, exception: skip('has no --show-managed-fields') }],
  'patch-json-testfail': [{ before: 27, exception: otherwise({ match: 'The request is invalid' }) }],
  'patch-status': [{ before: 27, exception: skip('has no --subresource') }],
  'label-rm': [{ before: 27, exception: otherwise({ match: 'labeled' }) }],
  'create-token': [{ before: 27, exception: skip('has no create token') }],
  'wait-jsonpath': [{ before: 27, exception: skip('waits for conditions only') }],
  'describe-slice': [{ before: 27, exception: skip('asks for discovery.k8s.io/v1beta1') }],
  events: [{ before: 27, exception: skip('has no events') }],
  'events-for': [{ before: 27, exception: skip('has no events') }],
  'explain-v2': [{ before: 27, exception: skip('has no --output') }],
  drain: [{ before: 27, exception: skip('evicts through policy/v1beta1') }],
  'drain-a': [{ before: 27, exception: skip('evicts through policy/v1beta1') }],
};

/** What a flow has otherwise with a client of this minor version, if anything. */
export function exceptionOf(name: string, minor: number): Exception | undefined {
  return exceptions[name]?.find(({ before }) => minor < before)?.exception;
}
