import { execFileSync } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { connect } from 'node:net';
import dnsPacket from 'dns-packet';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { frame, splitFrames } from '../../helpers/dns-client.ts';
import { judgeReply } from '../../helpers/dns-judge.ts';
import { startTestServer } from '../../helpers/dns-test-server.ts';
import { corefileOf, fixtureObjects, upstreamAnswer, vectorConfigs } from '../../helpers/dns-vector-cluster.ts';
import { readDnsVectors } from '../../helpers/dns-vectors.ts';
import { FakeResolver } from '../../helpers/fake-resolver.ts';
import { SteppedClock } from '../../helpers/stepped-clock.ts';

interface WireVector {
  readonly id: string;
  readonly transport: 'udp' | 'tcp';
  readonly hex: string;
  readonly expect: {
    readonly reply: boolean;
    readonly rcode: string;
    readonly opcode: number;
    readonly bytes: number;
    readonly qr: boolean;
    readonly aa: boolean;
    readonly tc: boolean;
    readonly rd: boolean;
    readonly ra: boolean;
    readonly z: boolean;
    readonly qdcount: number;
    readonly ancount: number;
    readonly nscount: number;
    readonly arcount: number;
  };
}

// The lines about how a TCP connection behaves have no packet: they are the claims further down.
const vectors = readDnsVectors<WireVector>('wire').filter(({ hex }) => hex !== undefined);
const PROBE = query('kubernetes.default.svc.cluster.local', 0x7777);

let upstream: FakeResolver;
let server: Awaited<ReturnType<typeof startTestServer>>;

beforeAll(async () => {
  execFileSync('ip', ['link', 'set', 'lo', 'up']);
  upstream = await FakeResolver.start(upstreamAnswer);
  const config = vectorConfigs().find(({ name }) => name === 'kubeadm')!;
  server = await startTestServer(corefileOf(config, upstream.port), fixtureObjects('edge'));
});
afterAll(async () => {
  await server[Symbol.asyncDispose]();
  await upstream[Symbol.asyncDispose]();
});

describe('the raw packets', () => {
  it.each(vectors.map((vector) => [vector.id, vector] as const))('%s over UDP', async (_id, vector) => {
    checkReply(vector, await sendUdp(Buffer.from(vector.hex, 'hex')));
  });

  it.each(vectors.map((vector) => [vector.id, vector] as const))('%s over TCP', async (_id, vector) => {
    const replies = await sendTcp([frame(Buffer.from(vector.hex, 'hex')), frame(PROBE)]);
    expect(replies.some((reply) => reply.readUInt16BE(0) === 0x7777)).toBe(true);
    checkReply(
      vector,
      replies.find((reply) => reply.readUInt16BE(0) !== 0x7777),
    );
  });
});

describe('a TCP connection', () => {
  it('answers any number of pipelined queries before the client reads', async () => {
    const ids = Array.from({ length: 300 }, (_, i) => i + 1);
    const names = ['web.shop.svc.cluster.local', 'www.example.com', 'ghost.shop.svc.cluster.local'];
    const replies = await sendTcp(ids.map((id) => frame(query(names[id % 3]!, id))));
    expect(new Set(replies.map((reply) => reply.readUInt16BE(0)))).toEqual(new Set(ids));
  });

  it('reads a query that comes byte by byte', async () => {
    const bytes = frame(PROBE);
    const replies = await sendTcp([...bytes].map((byte) => Buffer.of(byte)));
    expect(replies.map((reply) => reply.readUInt16BE(0))).toEqual([0x7777]);
  });

  it('survives frames of no length, of one byte and of garbage', async () => {
    const garbage = Buffer.from('deadbeefdeadbeefdeadbeefdeadbeef', 'hex');
    const frames = [Buffer.of(0, 0), frame(Buffer.of(1)), frame(garbage), frame(PROBE)];
    const replies = await sendTcp(frames);
    expect(replies.at(-1)?.readUInt16BE(0)).toBe(0x7777);
  });

  it('is closed after ten idle seconds, and after three without a first query', async () => {
    const clock = new SteppedClock();
    await using own = await startTestServer('. {\n  kubernetes\n}\n', [], { clock });
    const silent = connect(own.port, '127.0.0.1');
    const asking = connect(own.port, '127.0.0.1');
    asking.write(frame(PROBE));
    // Connections are accepted in order: the answer tells that both are known.
    await once(asking, 'data');
    const silentClosed = once(silent, 'close');
    await clock.step(3000);
    await silentClosed;
    await clock.step(6900);
    asking.write(frame(PROBE));
    await once(asking, 'data');
    const askingClosed = once(asking, 'close');
    await clock.step(9900);
    expect(asking.destroyed).toBe(false);
    await clock.step(200);
    await askingClosed;
  });

  it('is refused to a client that has too many', async () => {
    await using own = await startTestServer('. {\n  kubernetes\n}\n', [], { limits: { perClient: 1 } });
    const first = connect(own.port, '127.0.0.1');
    first.write(frame(PROBE));
    await once(first, 'data');
    const second = connect(own.port, '127.0.0.1');
    second.on('error', () => undefined);
    await once(second, 'close');
    first.destroy();
  });

  it('is not truncated where UDP is', async () => {
    const big = query('big.shop.svc.cluster.local', 1);
    expect(judgeReply((await sendUdp(big))!)).toMatchObject({ flags: { tc: true }, bytes: expect.any(Number) });
    const [reply] = await sendTcp([frame(big)]);
    expect(judgeReply(reply!).answer).toHaveLength(120);
  });
});

function checkReply({ expect: wanted, hex }: WireVector, reply: Buffer | undefined): void {
  if (!wanted.reply) {
    expect(reply).toBeUndefined();
    return;
  }
  const judged = judgeReply(reply!);
  expect(judged.id).toBe(Number.parseInt(hex.slice(0, 4), 16));
  expect({ rcode: judged.rcode, opcode: judged.opcode }).toEqual({ rcode: wanted.rcode, opcode: wanted.opcode });
  const { qr, aa, tc, rd, ra, z } = wanted;
  expect(judged.flags).toMatchObject({ qr, aa, tc, rd, ra, z });
  const counts = [4, 6, 8, 10].map((at) => reply!.readUInt16BE(at));
  expect(counts).toEqual([wanted.qdcount, wanted.ancount, wanted.nscount, wanted.arcount]);
  // Names are compressed always: never larger than CoreDNS's reply, and the bare header exactly as long.
  expect(judged.bytes).toBeLessThanOrEqual(wanted.bytes);
  if (wanted.qdcount === 0) expect(judged.bytes).toBe(wanted.bytes);
}

// A query that must be answered is sent behind the packet: silence is the other reply coming first.
async function sendUdp(packet: Buffer): Promise<Buffer | undefined> {
  const socket = createSocket('udp4');
  const replies: Buffer[] = [];
  socket.send(packet, server.port, '127.0.0.1');
  for (;;) {
    socket.send(PROBE, server.port, '127.0.0.1');
    const [reply] = (await once(socket, 'message')) as [Buffer];
    replies.push(reply);
    if (reply.readUInt16BE(0) !== 0x7777) {
      socket.close();
      return reply;
    }
    // What is forwarded may take longer than the probe.
    if (replies.length === 50) {
      socket.close();
      return undefined;
    }
  }
}

async function sendTcp(chunks: readonly Buffer[]): Promise<readonly Buffer[]> {
  const socket = connect(server.port, '127.0.0.1');
  socket.setNoDelay(true);
  const received: Buffer[] = [];
  socket.on('data', (chunk) => received.push(chunk));
  for (const chunk of chunks) await new Promise<void>((done) => socket.write(chunk, () => done()));
  socket.end();
  await once(socket, 'close');
  return splitFrames(Buffer.concat(received));
}

function query(name: string, id: number): Buffer {
  return dnsPacket.encode({ id, type: 'query', flags: dnsPacket.RECURSION_DESIRED, questions: [{ name, type: 'A' }] });
}
