import { execFileSync } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { beforeAll, describe, expect, it } from 'vitest';
import { type AskedQuestion, askNameserver } from '../../../src/dns/query/ask-nameserver.ts';
import { hostNetwork } from '../../../src/dns/server/dns-network.ts';
import { RecordType } from '../../../src/dns/wire/record-type.ts';
import { FakeResolver } from '../../helpers/fake-resolver.ts';
import { realClock } from '../../helpers/real-clock.ts';
import { seededRandom } from '../../helpers/seeded-random.ts';

beforeAll(() => execFileSync('ip', ['link', 'set', 'lo', 'up']));

const ask = (server: string, port: number, timeout = 30_000): Promise<AskedQuestion> =>
  askNameserver(
    server,
    { name: 'web.test.', type: RecordType.A },
    { network: hostNetwork(), clock: realClock, random: seededRandom(), port, timeout },
  );

describe('a name server', () => {
  it('that cannot be reached is an error with the reason, and nothing worse', async () => {
    // A rejection that nobody hears would end the process.
    expect(await ask('192.0.2.1', 53)).toMatchObject({
      outcome: 'ERROR',
      extendedError: expect.stringMatching(/ENETUNREACH|EHOSTUNREACH/),
    });
    expect(await ask('127.0.0.1', 1)).toMatchObject({ outcome: 'ERROR' });
  });

  it('that is silent is a timeout', async () => {
    const silent = createSocket('udp4');
    silent.bind(0, '127.0.0.1');
    await once(silent, 'listening');
    expect(await ask('127.0.0.1', silent.address().port, 50)).toMatchObject({ outcome: 'TIMEOUT', transport: 'udp' });
    silent.close();
  });

  it('that cuts its answer is asked again over TCP', async () => {
    await using resolver = await FakeResolver.start((_query, transport) =>
      transport === 'udp'
        ? { flags: 0x0380 }
        : { flags: 0x0180, answers: [{ type: 'A', name: 'web.test', ttl: 7, data: '192.0.2.9' }] },
    );
    expect(await ask('127.0.0.1', resolver.port)).toMatchObject({
      ...{ outcome: 'ANSWER', transport: 'tcp', records: ['web.test. 7 IN A 192.0.2.9'] },
    });
  });

  it('that is silent over TCP after a cut answer is a timeout there', async () => {
    const silent = createServer(() => undefined).listen(0, '127.0.0.1');
    await once(silent, 'listening');
    const { port } = silent.address() as { port: number };
    const cuts = createSocket('udp4', (query, peer) => {
      query[2] = query[2]! | 0x82;
      cuts.send(query, peer.port, peer.address);
    });
    cuts.bind(port, '127.0.0.1');
    await once(cuts, 'listening');
    expect(await ask('127.0.0.1', port, 50)).toMatchObject({ outcome: 'TIMEOUT', transport: 'tcp' });
    cuts.close();
    silent.close();
  });
});
