import type { ResolvConf } from '../../kube/resolv-conf.ts';
import { type AskedQuestion, type AskOptions, askNameserver } from './ask-nameserver.ts';
import { type ResolverLibrary, searchCandidates, walksOn } from './search-walk.ts';

/** One step of the walk: a question, its answer, and why the answer is what it is. */
export interface QueryStep extends AskedQuestion {
  /** Undefined where nobody here knows. */
  readonly why: string | undefined;
}

export interface QueryResult {
  /** The names that the walk would try, in order; those behind the last step were not needed. */
  readonly candidates: readonly string[];
  readonly steps: readonly QueryStep[];
  /** True when the last step brought records. */
  readonly found: boolean;
}

export interface QueryOptions extends AskOptions {
  readonly conf: ResolvConf;
  readonly library?: ResolverLibrary;
  /** Says why a name server answers as it does; see explainAnswers. */
  readonly explain?: ((asked: AskedQuestion) => string | undefined) | undefined;
}

/**
 * Resolves a name as a program in a pod would, with the pod's own resolv.conf, and tells every question on the way. A name
 * server that is silent or broken is followed by the next one.
 */
export async function runQuery(name: string, type: number, options: QueryOptions): Promise<QueryResult> {
  const { conf, library = 'glibc' } = options;
  const candidates = searchCandidates(name, conf, library);
  const steps: QueryStep[] = [];
  for (const candidate of candidates) {
    const step = await askServers(candidate, type, { options, steps });
    if (step === undefined || !walksOn(step.outcome, library)) break;
  }
  return { candidates, steps, found: steps.at(-1)?.outcome === 'ANSWER' };
}

async function askServers(
  name: string,
  type: number,
  { options, steps }: { readonly options: QueryOptions; readonly steps: QueryStep[] },
): Promise<QueryStep | undefined> {
  for (const server of options.conf.nameservers) {
    const asked = await askNameserver(server, { name, type }, options);
    steps.push({ ...asked, why: asked.extendedError ?? explain(asked, options) });
    if (asked.outcome !== 'TIMEOUT' && asked.outcome !== 'ERROR' && asked.outcome !== 'SERVFAIL') break;
  }
  return steps.at(-1);
}

function explain(asked: AskedQuestion, options: QueryOptions): string | undefined {
  if (asked.outcome === 'TIMEOUT') return 'nobody answered in time';
  return asked.outcome === 'ERROR' ? undefined : options.explain?.(asked);
}
