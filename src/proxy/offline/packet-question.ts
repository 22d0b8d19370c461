import { UserError } from '../../errors/towtank-error.ts';
import { canonicalAddress, familyOf } from '../../netfilter/address.ts';
import type { Packet } from '../../netfilter/evaluate/packet.ts';
import type { Family } from '../../netfilter/runner.ts';
import { isPort, protocolOf } from '../facts/protocol.ts';

/** A packet that somebody asks about. */
export interface PacketQuestion {
  /** As it was asked. */
  readonly text: string;
  readonly from: 'pod' | 'node' | 'localhost' | 'outside';
  /** Undefined: the node's own address, or loopback. */
  readonly source: string | undefined;
  readonly destination: string;
  readonly destinationPort: number;
  readonly protocol: 'tcp' | 'udp' | 'sctp';
  /** Through which it comes in, where rules look at that. */
  readonly inInterface: string | undefined;
}

const SENDERS = ['pod', 'node', 'localhost', 'outside'] as const;
const FIELDS = ['src', 'dst', 'from', 'in'];
const SOURCE_PORT = 40_000;

/** Reads `src=10.244.1.5 dst=10.96.0.10:80/tcp from=pod [in=eth0]`. Throws UserError ERR_USAGE that names the wrong word. */
export function parsePacketQuestion(text: string): PacketQuestion {
  const fields = readFields(text);
  const from = SENDERS.find((sender) => sender === (fields.get('from') ?? 'pod'));
  if (from === undefined) throw wrong(text, `from=${fields.get('from')} must be one of ${SENDERS.join(', ')}`);
  const source = fields.get('src');
  if (source !== undefined && familyOf(source) === undefined) throw wrong(text, `src=${source} is no IP address`);
  if (source === undefined && (from === 'pod' || from === 'outside'))
    throw wrong(text, `from=${from} needs src=ADDRESS`);
  const target = readDestination(text, fields.get('dst') ?? '');
  if (source !== undefined && familyOf(source) !== familyOf(target.destination)) {
    throw wrong(text, 'src and dst must be of one IP family');
  }
  return { text, from, source: source && canonicalAddress(source), ...target, inInterface: fields.get('in') };
}

function readFields(text: string): Map<string, string> {
  const fields = new Map<string, string>();
  for (const word of text.trim().split(/\s+/)) {
    const [, name = '', value = ''] = /^([a-z]+)=(.+)$/.exec(word) ?? [];
    if (!FIELDS.includes(name)) throw wrong(text, `${JSON.stringify(word)} is none of ${FIELDS.join('=, ')}=`);
    if (fields.has(name)) throw wrong(text, `${name}= stands there twice`);
    fields.set(name, value);
  }
  return fields;
}

function readDestination(
  text: string,
  word: string,
): Pick<PacketQuestion, 'destination' | 'destinationPort' | 'protocol'> {
  const [, bracketed, plain, portText, protocolText] = /^(?:\[([^\]]+)\]|([^:]+)):(\d+)(?:\/(\w+))?$/.exec(word) ?? [];
  const destination = canonicalAddress(bracketed ?? plain ?? '');
  const destinationPort = Number(portText);
  const protocol = protocolOf(protocolText);
  if (destination === undefined || !isPort(destinationPort) || protocol === undefined) {
    throw wrong(text, `dst=${word} must be ADDRESS:PORT/PROTOCOL, with brackets around an IPv6 address`);
  }
  return { destination, destinationPort, protocol };
}

/** The packet as the evaluator takes it; `nodeAddress` gives the node's own. */
export function toPacket(question: PacketQuestion, nodeAddress: (family: Family) => string): Packet {
  const { from, destination, destinationPort, protocol, inInterface } = question;
  const family = familyOf(destination)!;
  const loopback = family === 'ipv4' ? '127.0.0.1' : '::1';
  return {
    source: question.source ?? (from === 'localhost' ? loopback : nodeAddress(family)),
    destination,
    protocol,
    sourcePort: SOURCE_PORT,
    destinationPort,
    from: from === 'pod' || from === 'outside' ? 'network' : 'host',
    inInterface,
  };
}

function wrong(text: string, problem: string): UserError {
  return new UserError({
    code: 'ERR_USAGE',
    message: `packet ${JSON.stringify(text)}: ${problem}`,
    hint: "write it like 'src=10.244.1.5 dst=10.96.0.10:80/tcp from=pod'",
  });
}
