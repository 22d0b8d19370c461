import { encodeMessage, Flag } from '../wire/message.ts';
import type { ResourceRecord } from '../wire/record.ts';
import type { DnsRequest } from './dns-request.ts';
import type { Reply } from './reply.ts';

/** Bytes of records per message of a transfer, as CoreDNS bundles them. */
const BUNDLE = 500;

/** The messages of a zone transfer: every one has id and question, the records are spread over them. */
export function* encodeTransfer(request: DnsRequest, reply: Reply): IterableIterator<Uint8Array> {
  const { message, question } = request;
  const flags = Flag.QR | Flag.AA | (message.flags & (Flag.RD | Flag.CD));
  let answer: ResourceRecord[] = [];
  let size = 0;
  const flush = (): Uint8Array =>
    encodeMessage({ id: message.id, flags, questions: [question], answer, authority: [], additional: [] });
  for (const record of reply.transfer ?? []) {
    answer.push(record);
    size += record.name.length + 11 + record.rdata.length;
    if (answer.length < BUNDLE && size < 0x4000) continue;
    yield flush();
    answer = [];
    size = 0;
  }
  if (answer.length > 0) yield flush();
}
