import type { FlowSchema } from '../../kube/generated/types.ts';
import type { RequestInfo } from '../http/request-info.ts';
import type { Caller } from '../machinery/strategy.ts';
import type { FlowStats } from './flow-stats.ts';
import { type CallerRules, matchesEveryPath, matchesEveryResource, matchesRequest, rulesFor } from './match-request.ts';
import type { PriorityLevel } from './priority-level.ts';
import { dealHand, hashFlow } from './shuffle-sharding.ts';

// Names of namespaces come from clients: whoever asks for many must not fill the memory.
const MAX_FLOWS = 1000;
const CATCH_ALL = 'catch-all';

/** A flow schema that refers to a priority level. */
export interface ActiveSchema {
  readonly schema: FlowSchema;
  readonly level: PriorityLevel;
  readonly stats: FlowStats;
}

/** Requests that are treated alike: one flow schema, one distinguisher. */
export class Flow {
  readonly level: PriorityLevel;
  readonly stats: FlowStats;
  /** Names and values of the headers that tell of it, one behind the other. */
  readonly headers: readonly string[];
  readonly #distinguisher: string;
  #hand: readonly number[] | undefined;

  constructor({ schema, level, stats }: ActiveSchema, distinguisher: string) {
    this.level = level;
    this.stats = stats;
    this.headers = [
      'x-kubernetes-pf-flowschema-uid',
      schema.metadata?.uid ?? '',
      'x-kubernetes-pf-prioritylevel-uid',
      level.configuration.metadata?.uid ?? '',
    ];
    this.#distinguisher = distinguisher;
  }

  /** The queues that it may use. */
  readonly hand = (): readonly number[] => {
    const { queues, handSize } = this.level;
    this.#hand ??= dealHand(hashFlow(this.stats.schema, this.#distinguisher), queues, handSize);
    return this.#hand;
  };
}

interface Candidate {
  readonly rules: CallerRules;
  readonly active: ActiveSchema;
  readonly flows: Map<string, Flow>;
}

/** The flow schemas that may concern one caller, in order; the last of each sort matches whatever the others do not. */
interface CallerFlows {
  readonly resources: readonly Candidate[];
  readonly paths: readonly Candidate[];
}

/** Finds the flow of a request. What depends on the caller only is worked out once for each. */
export class Classifier {
  readonly #schemas: readonly ActiveSchema[];
  readonly #callers = new WeakMap<Caller, CallerFlows>();

  /** `schemas` in the order in which they are matched; `catch-all` among them takes what none matches. */
  constructor(schemas: readonly ActiveSchema[]) {
    this.#schemas = schemas;
  }

  flowOf(caller: Caller, info: RequestInfo): Flow {
    let flows = this.#callers.get(caller);
    if (!flows) {
      flows = callerFlows(this.#schemas, caller);
      this.#callers.set(caller, flows);
    }
    const candidates = info.type === 'resource' ? flows.resources : flows.paths;
    const last = candidates.length - 1;
    for (let i = 0; i < last; i++)
      if (matchesRequest(candidates[i]!.rules, info)) return flowIn(candidates[i]!, caller, info);
    return flowIn(candidates[last]!, caller, info);
  }
}

function callerFlows(schemas: readonly ActiveSchema[], caller: Caller): CallerFlows {
  const candidates = schemas.map((active) => ({ active, rules: rulesFor(active.schema, caller), flows: new Map() }));
  const catchAll = candidates.find(({ active }) => active.schema.metadata?.name === CATCH_ALL)!;
  const upTo = (
    isRelevant: (rules: CallerRules) => boolean,
    takesAll: (rules: CallerRules) => boolean,
  ): Candidate[] => {
    const relevant = candidates.filter(({ rules }) => isRelevant(rules));
    const end = relevant.findIndex(({ rules }) => takesAll(rules));
    return end === -1 ? [...relevant, catchAll] : relevant.slice(0, end + 1);
  };
  return {
    resources: upTo(({ resources }) => resources.length > 0, matchesEveryResource),
    paths: upTo(({ paths }) => paths.length > 0, matchesEveryPath),
  };
}

function flowIn({ active, flows }: Candidate, caller: Caller, info: RequestInfo): Flow {
  const method = active.schema.spec?.distinguisherMethod?.type;
  const namespace = info.type === 'resource' ? (info.namespace ?? '') : '';
  const key = method === 'ByNamespace' ? namespace : method === 'ByUser' ? caller.name : '';
  let flow = flows.get(key);
  if (!flow) {
    if (flows.size >= MAX_FLOWS) flows.clear();
    flow = new Flow(active, key);
    flows.set(key, flow);
  }
  return flow;
}
