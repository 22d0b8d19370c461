import type { Clock, Random } from '../../kube/clock.ts';
import type { DnsNetwork } from '../server/dns-network.ts';
import { printRcode, Rcode } from '../wire/rcode.ts';
import { printRecordType, RecordClass } from '../wire/record-type.ts';
import type { Outcome } from './search-walk.ts';

/** One question put to one name server, and what came back. */
export interface AskedQuestion {
  /** Absolute. */
  readonly name: string;
  readonly type: number;
  readonly server: string;
  readonly transport: 'udp' | 'tcp';
  readonly outcome: Outcome;
  /** Answer records as zone files write them. */
  readonly records: readonly string[];
  /** Text of an extended DNS error (RFC 8914), if one came. */
  readonly extendedError: string | undefined;
}

export interface AskOptions {
  readonly network: DnsNetwork;
  readonly clock: Clock;
  readonly random: Random;
  readonly port?: number;
  /** Milliseconds; default 5000. */
  readonly timeout?: number;
}

const EDNS_SIZE = 1232;
/** As resolvers wait. */
const TIMEOUT = 5000;
const OPT = 41;
const EDE = 15;

/** Asks over UDP, and again over TCP when the reply was cut. */
export async function askNameserver(
  server: string,
  question: { readonly name: string; readonly type: number },
  options: AskOptions,
): Promise<AskedQuestion> {
  const { default: dns2 } = await import('dns2');
  const { Packet } = dns2;
  const query = new Packet();
  query.header.id = Math.floor(options.random() * 0x10000);
  query.header.rd = 1;
  const name = question.name === '.' ? '' : question.name.slice(0, -1);
  query.questions.push({ name, type: question.type, class: RecordClass.IN } as never);
  query.additionals.push({ name: '', type: OPT, class: EDNS_SIZE, ttl: 0, rdata: [] } as never);
  const packet = query.toBuffer();
  const asked = { ...question, server };
  const read = (reply: Buffer, transport: 'udp' | 'tcp'): AskedQuestion => {
    const parsed = Packet.parse(reply) as unknown as ParsedReply;
    return { ...asked, transport, ...readReply(parsed) };
  };
  try {
    const reply = await askUdp(server, packet, options);
    if (reply === undefined) return { ...asked, transport: 'udp', ...failure('TIMEOUT') };
    if ((reply[2]! & 0x02) === 0) return read(reply, 'udp');
    const whole = await askTcp(server, packet, options);
    return whole === undefined ? { ...asked, transport: 'tcp', ...failure('TIMEOUT') } : read(whole, 'tcp');
  } catch (error) {
    return { ...asked, transport: 'udp', ...failure('ERROR'), extendedError: (error as Error).message };
  }
}

interface ParsedRecord {
  readonly name: string;
  readonly type: number;
  readonly ttl: number;
  readonly [field: string]: unknown;
}

interface ParsedReply {
  readonly header: { readonly rcode: number };
  readonly answers: readonly ParsedRecord[];
  readonly additionals: readonly (ParsedRecord & {
    readonly rdata?: readonly { readonly ednsCode: number; readonly extraText?: string }[];
  })[];
}

function readReply({
  header,
  answers,
  additionals,
}: ParsedReply): Omit<AskedQuestion, 'name' | 'type' | 'server' | 'transport'> {
  const options = additionals.find(({ type }) => type === OPT)?.rdata ?? [];
  const extendedError = options.find(({ ednsCode }) => ednsCode === EDE)?.extraText;
  return { outcome: outcomeOf(header.rcode, answers.length), records: answers.map(printParsed), extendedError };
}

function outcomeOf(rcode: number, answers: number): Outcome {
  if (rcode === Rcode.NOERROR) return answers > 0 ? 'ANSWER' : 'NODATA';
  const name = printRcode(rcode);
  return name === 'NXDOMAIN' || name === 'SERVFAIL' || name === 'REFUSED' ? name : 'ERROR';
}

function printParsed(record: ParsedRecord): string {
  return `${dotted(record.name)} ${record.ttl} IN ${printRecordType(record.type)} ${printParsedData(record)}`;
}

function printParsedData(record: ParsedRecord): string {
  const { address, domain, ns, target, exchange, primary, data } = record;
  if (address !== undefined) return String(address);
  if (domain !== undefined || ns !== undefined) return dotted(domain ?? ns);
  if (target !== undefined) return `${record['priority']} ${record['weight']} ${record['port']} ${dotted(target)}`;
  if (exchange !== undefined) return `${record['priority']} ${dotted(exchange)}`;
  if (primary !== undefined) {
    const numbers = ['serial', 'refresh', 'retry', 'expiration', 'minimum'].map((field) => record[field]);
    return [dotted(primary), dotted(record['admin']), ...numbers].join(' ');
  }
  const strings = Array.isArray(data) ? data : [data];
  return strings.map((text) => (Buffer.isBuffer(text) ? text.toString('hex') : JSON.stringify(text))).join(' ');
}

function dotted(name: unknown): string {
  return `${String(name)}.`;
}

function failure(outcome: Outcome): Pick<AskedQuestion, 'outcome' | 'records' | 'extendedError'> {
  return { outcome, records: [], extendedError: undefined };
}

// Undefined when nobody answers in time.
async function askUdp(
  server: string,
  packet: Buffer,
  { network, clock, port = 53, timeout = TIMEOUT }: AskOptions,
): Promise<Buffer | undefined> {
  const socket = await network.openUdp(server.includes(':') ? 6 : 4);
  const { promise, resolve, reject } = Promise.withResolvers<Buffer | undefined>();
  using _timer = clock.schedule(timeout, () => resolve(undefined));
  socket.on('error', reject);
  socket.on('connect', () => socket.send(packet));
  socket.on('message', (reply: Buffer) => {
    if (reply[0] === packet[0] && reply[1] === packet[1]) resolve(reply);
  });
  try {
    socket.connect(network.portOf?.(server, port) ?? port, server);
    return await promise;
  } finally {
    socket.close();
  }
}

async function askTcp(
  server: string,
  packet: Buffer,
  { network, clock, port = 53, timeout = TIMEOUT }: AskOptions,
): Promise<Buffer | undefined> {
  const socket = network.connectTcp(server, port);
  let isLate = false;
  using _timer = clock.schedule(timeout, () => {
    isLate = true;
    socket.destroy();
  });
  try {
    socket.write(Buffer.concat([Buffer.from([packet.length >> 8, packet.length & 0xff]), packet]));
    let received = Buffer.alloc(0);
    for await (const chunk of socket) {
      received = Buffer.concat([received, chunk as Buffer]);
      if (received.length >= 2 && received.length >= 2 + received.readUInt16BE(0)) break;
    }
    return received.subarray(2);
  } catch (error) {
    if (isLate) return undefined;
    throw error;
  } finally {
    socket.destroy();
  }
}
