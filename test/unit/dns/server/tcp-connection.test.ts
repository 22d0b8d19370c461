import type { Socket } from 'node:net';
import { Duplex } from 'node:stream';
import { describe, expect, it } from 'vitest';
import { QueryServer } from '../../../../src/dns/server/query-server.ts';
import { defaultTcpLimits, TcpConnection } from '../../../../src/dns/server/tcp-connection.ts';
import { buildNamespace, buildService } from '../../../helpers/build-objects.ts';
import { buildQuery, DnsChain } from '../../../helpers/dns-chain.ts';
import { frame, splitFrames } from '../../../helpers/dns-client.ts';
import { SteppedClock, settled } from '../../../helpers/stepped-clock.ts';

/** A client's end of a connection that takes replies only when it is told to. */
class Client extends Duplex {
  readonly remoteAddress = '10.244.0.9';
  readonly remotePort = 4000;
  readonly received: Buffer[] = [];
  #waiting: (() => void) | undefined;
  #reads = false;

  readOn(): void {
    this.#reads = true;
    this.#waiting?.();
  }

  override _read(): void {
    // What the client sends is pushed by the test.
  }

  override _write(chunk: Buffer, _encoding: string, done: () => void): void {
    this.received.push(chunk);
    if (this.#reads) done();
    else this.#waiting = done;
  }

  override _writev(chunks: { readonly chunk: Buffer }[], done: () => void): void {
    this._write(Buffer.concat(chunks.map(({ chunk }) => chunk)), '', done);
  }
}

const QUERY = frame(buildQuery('web.shop.svc.cluster.local.', 'A'));
const COUNT = 20_000;

async function connect(clock = new SteppedClock()): Promise<{ readonly client: Client; readonly clock: SteppedClock }> {
  const objects = [
    buildNamespace({ name: 'shop' }),
    buildService({ name: 'web', namespace: 'shop', clusterIP: '10.96.0.7' }),
  ];
  const chain = await DnsChain.build('. {\n kubernetes cluster.local\n}\n', { objects, clock });
  const ignore = (): void => undefined;
  const server = new QueryServer(chain.config.listen[0]!.query, ignore, ignore);
  const client = new Client();
  new TcpConnection(client as unknown as Socket, server, { limits: defaultTcpLimits, clock });
  return { client, clock };
}

describe('a TCP connection', () => {
  it('reads no more from a client that does not read, and answers all of it in the end', async () => {
    const { client } = await connect();
    client.push(Buffer.concat(Array.from({ length: COUNT }, () => QUERY)));
    client.push(null);
    await settled();
    expect(client.isPaused()).toBe(true);
    expect(client.writableLength).toBeGreaterThan(0x40000 - 1);
    expect(client.writableLength).toBeLessThan(0x40000 + 1000);
    client.readOn();
    await settled(200);
    expect(splitFrames(Buffer.concat(client.received))).toHaveLength(COUNT);
    expect(client.writableEnded).toBe(true);
  });

  it('is closed when its first query takes too long, or the next one', async () => {
    const first = await connect();
    first.client.push(QUERY.subarray(0, 5));
    await first.clock.step(defaultTcpLimits.firstQuery);
    expect(first.client.destroyed).toBe(true);
    const second = await connect();
    second.client.push(QUERY);
    await second.clock.step(defaultTcpLimits.idle - 1);
    expect(second.client.destroyed).toBe(false);
    second.client.push(QUERY);
    await second.clock.step(defaultTcpLimits.idle - 1);
    expect(second.client.destroyed).toBe(false);
    await second.clock.step(1000);
    expect(second.client.destroyed).toBe(true);
  });
});
