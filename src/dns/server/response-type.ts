import type { Question } from '../wire/message.ts';
import { Rcode } from '../wire/rcode.ts';
import { type ResourceRecord, targetOf } from '../wire/record.ts';
import { RecordClass, RecordType } from '../wire/record-type.ts';
import type { Reply } from './reply.ts';

/** What kind of reply it is, as CoreDNS's cache and log see it. */
export type ResponseType =
  | 'no-error'
  | 'name-error'
  | 'server-error'
  | 'no-data'
  | 'delegation'
  | 'meta'
  | 'other-error';

export function responseType(question: Question, reply: Reply): ResponseType {
  const { rcode, answer, authority } = reply;
  if (question.type === RecordType.AXFR || question.type === RecordType.IXFR) return 'meta';
  if (answer.length > 0 && rcode === Rcode.NOERROR) return 'no-error';
  if (answer.length > 0 && rcode === Rcode.NXDOMAIN) return 'other-error';
  if (rcode === Rcode.NOERROR && authority.some(({ type }) => type === RecordType.SOA)) return 'no-data';
  if (rcode === Rcode.NXDOMAIN) return 'name-error';
  if (rcode === Rcode.SERVFAIL || rcode === Rcode.NOTIMP) return 'server-error';
  if (rcode !== Rcode.NOERROR) return 'other-error';
  return authority.some(({ type }) => type === RecordType.NS) ? 'delegation' : 'no-error';
}

/** True when the answer section really answers: it has a record of the type at the end of the CNAME chain. */
export function answersQuestion(question: Question, reply: Reply): boolean {
  if (reply.rcode !== Rcode.NOERROR || reply.answer.length === 0) return false;
  const { type, class: qclass } = question;
  const records = reply.answer.filter((record) => qclass === RecordClass.ANY || record.class === qclass);
  if (type === RecordType.ANY) return records.some((record) => sameName(record.name, question.name));
  if (type === RecordType.CNAME) return nextInChain(records, question.name) !== undefined;
  const seen = new Set<string>();
  let name = question.name;
  for (;;) {
    if (seen.has(name.toLowerCase())) return false;
    seen.add(name.toLowerCase());
    const targets = new Set(aliases(records, name).map((target) => target.toLowerCase()));
    if (targets.size > 1) return false;
    const target = nextInChain(records, name);
    if (target === undefined) return records.some((record) => record.type === type && sameName(record.name, name));
    name = target;
  }
}

function aliases(records: readonly ResourceRecord[], name: string): readonly string[] {
  return records
    .filter((record) => record.type === RecordType.CNAME && sameName(record.name, name))
    .map((record) => targetOf(record));
}

function nextInChain(records: readonly ResourceRecord[], name: string): string | undefined {
  return aliases(records, name)[0];
}

function sameName(a: string, b: string): boolean {
  return a.toLowerCase() === b.toLowerCase();
}
