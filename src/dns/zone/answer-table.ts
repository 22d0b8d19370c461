import { addressOfReverse } from '../wire/ip.ts';
import { matchZone, readName } from '../wire/name.ts';
import { RecordType } from '../wire/record-type.ts';
import { answerQuestion, type ZoneAnswer } from './answer-question.ts';
import type { ServiceEntry, StateObserver } from './cluster-state.ts';
import { type CompiledAnswer, compileAnswer } from './compiled-answer.ts';
import { findServices, type ZoneView } from './find-services.ts';
import { parseRequest } from './parse-request.ts';

/** A name that exists, with its answers by type: built when first asked for. Null is NODATA, undefined not yet asked. */
export interface TableEntry {
  /** Its name in wire form as Latin-1 text, in lower case. */
  readonly key: string;
  /** The zone it is in, lower case. */
  readonly zone: string;
  readonly owner: ServiceEntry | string;
  /** Another name of the same owner. */
  readonly next: TableEntry | undefined;
  a: CompiledAnswer | null | undefined;
  aaaa: CompiledAnswer | null | undefined;
  srv: CompiledAnswer | null | undefined;
  ptr: CompiledAnswer | null | undefined;
}

/** What the table can say about a question without building a message. */
export type Verdict =
  | { readonly kind: 'entry'; readonly entry: TableEntry }
  | { readonly kind: 'name-error'; readonly zone: string }
  | { readonly kind: 'unknown' };

const UNKNOWN: Verdict = { kind: 'unknown' };

/**
 * Answers of one view as bytes, keyed by the question's name in wire form. An entry is built when its name is first asked
 * for and dropped when its Service, its slices, its namespace or its address change, so a change costs its own records only.
 */
export class AnswerTable implements StateObserver, Disposable {
  readonly view: ZoneView;
  readonly #entries = new Map<string, TableEntry>();
  /** The name of an owner that was added last; it leads to the others. */
  readonly #byOwner = new Map<ServiceEntry | string, TableEntry>();
  readonly #subscription: Disposable;

  constructor(view: ZoneView) {
    this.view = view;
    this.#subscription = view.state.observe(this);
  }

  /** The entry of a name: `key` is its wire form as Latin-1 text, in lower case. */
  get(key: string): TableEntry | undefined {
    return this.#entries.get(key);
  }

  get size(): number {
    return this.#entries.size;
  }

  /** Decides about a name that has no entry yet, adding one where the name belongs to a Service or an address. */
  classify(name: string, key: string): Verdict {
    const zone = matchZone(this.view.options.zones, name);
    if (zone === undefined) return UNKNOWN;
    if (zone.endsWith('.arpa.')) return this.#classifyReverse(name, { zone, key });
    const multicluster = this.view.options.multiclusterZones.includes(zone);
    const request = parseRequest(name, zone, { multicluster, zonal: this.view.options.zonal });
    if (request === undefined) return name.startsWith('ns.dns.') ? UNKNOWN : { kind: 'name-error', zone };
    if (request.kind !== 'svc' || request.service === '' || request.topologyZone !== '') return UNKNOWN;
    const found = findServices(this.view, name, zone);
    if (found === 'name-error') return { kind: 'name-error', zone };
    const { state } = this.view;
    const { namespace, service } = request;
    const owner = multicluster ? state.serviceImport(namespace, service) : state.service(namespace, service);
    if (owner === undefined || found.some((item) => item.external)) return UNKNOWN;
    return { kind: 'entry', entry: this.#add({ key, zone, owner }) };
  }

  /** The answer of an entry for A, AAAA, SRV or PTR; null for NODATA, undefined when it takes more than bytes. */
  answer(entry: TableEntry, type: number): CompiledAnswer | null | undefined {
    switch (type) {
      case RecordType.A:
        if (entry.a === undefined) entry.a = this.#compile(entry, type);
        return entry.a;
      case RecordType.AAAA:
        if (entry.aaaa === undefined) entry.aaaa = this.#compile(entry, type);
        return entry.aaaa;
      case RecordType.SRV:
        if (entry.srv === undefined) entry.srv = this.#compile(entry, type);
        return entry.srv;
      case RecordType.PTR:
        if (entry.ptr === undefined) entry.ptr = this.#compile(entry, type);
        return entry.ptr;
      default:
        return undefined;
    }
  }

  serviceChanged(entry: ServiceEntry): void {
    this.#forget(entry);
  }

  namespaceChanged(name: string): void {
    for (const entry of this.view.state.servicesIn(name)) {
      this.#forget(entry);
      for (const ip of entry.facts?.clusterIPs ?? []) this.#forget(ip);
    }
    for (const entry of this.view.state.serviceImports()) if (entry.namespace === name) this.#forget(entry);
    if (this.view.options.namespaces.length > 0) this.#forgetAddresses();
  }

  addressChanged(ip: string): void {
    this.#forget(ip);
  }

  [Symbol.dispose](): void {
    this.#subscription[Symbol.dispose]();
    this.#entries.clear();
    this.#byOwner.clear();
  }

  #classifyReverse(name: string, { zone, key }: { zone: string; key: string }): Verdict {
    const answer = answerNow(this.view, { name, type: RecordType.PTR, zone });
    if (answer === undefined || answer === 'name-error' || answer.answer.length === 0) return UNKNOWN;
    const ip = addressOfReverse(name);
    return ip === undefined ? UNKNOWN : { kind: 'entry', entry: this.#add({ key, zone, owner: ip }) };
  }

  #add({ key, zone, owner }: Pick<TableEntry, 'key' | 'zone' | 'owner'>): TableEntry {
    const unasked = { a: undefined, aaaa: undefined, srv: undefined, ptr: undefined };
    const entry: TableEntry = { key, zone, owner, next: this.#byOwner.get(owner), ...unasked };
    this.#entries.set(key, entry);
    this.#byOwner.set(owner, entry);
    return entry;
  }

  #forget(owner: ServiceEntry | string): void {
    let entry = this.#byOwner.get(owner);
    if (entry === undefined) return;
    this.#byOwner.delete(owner);
    for (; entry !== undefined; entry = entry.next) this.#entries.delete(entry.key);
  }

  #forgetAddresses(): void {
    for (const owner of [...this.#byOwner.keys()]) if (typeof owner === 'string') this.#forget(owner);
  }

  #compile({ key, zone, owner }: TableEntry, type: number): CompiledAnswer | null | undefined {
    // Under a reverse name every other type is for the slow path: it may fall through.
    if ((typeof owner === 'string') !== (type === RecordType.PTR)) return typeof owner === 'string' ? undefined : null;
    const { name } = readName(Buffer.from(key, 'latin1'), 0)!;
    const answer = answerNow(this.view, { name, type, zone });
    if (answer === undefined || answer === 'name-error') return undefined;
    return answer.answer.length === 0 ? null : compileAnswer(name, zone, answer);
  }
}

// Answers that need nobody else; undefined for the target of an ExternalName outside the zone.
function answerNow(view: ZoneView, question: { name: string; type: number; zone: string }): ZoneAnswer | undefined {
  const answer = answerQuestion(view, question, { ownAddresses: [], lookup: async () => undefined });
  return answer instanceof Promise ? undefined : answer;
}
