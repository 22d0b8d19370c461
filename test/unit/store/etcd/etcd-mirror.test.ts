import { expect, it } from 'vitest';
import type { EtcdClient } from '../../../../src/store/etcd/etcd-client.ts';
import { EtcdMirror } from '../../../../src/store/etcd/etcd-mirror.ts';
import { GRPC, GrpcError } from '../../../../src/store/etcd/grpc-error.ts';
import { ProtobufWriter } from '../../../../src/store/etcd/protobuf-writer.ts';
import { SteppedClock, settled } from '../../../helpers/stepped-clock.ts';

const CLUSTER = 7;
const lost = (): GrpcError => new GrpcError(GRPC.unavailable, 'the connection is lost', { uncertain: true });

function rangeAnswer(revision: number): Buffer {
  return new ProtobufWriter().message(1, header(revision)).finish();
}

const header = (revision: number): Buffer => new ProtobufWriter().int(1, CLUSTER).int(3, revision).finish();
const watchCreated = (revision: number): Buffer => new ProtobufWriter().message(1, header(revision)).int(3, 1).finish();

interface Handlers {
  readonly onMessage: (message: Buffer) => void;
  readonly onEnd: (error: GrpcError) => void;
}

/** An etcd whose answers come when the test says so. */
class ScriptedEtcd implements Disposable {
  readonly reads: PromiseWithResolvers<Buffer>[] = [];
  readonly streams: Handlers[] = [];

  read(): Promise<Buffer> {
    const answer = Promise.withResolvers<Buffer>();
    this.reads.push(answer);
    return answer.promise;
  }

  async stream(_path: string, _request: Uint8Array, handlers: Handlers) {
    this.streams.push(handlers);
    return { [Symbol.dispose]: () => {} };
  }

  [Symbol.dispose](): void {
    for (const { reject } of this.reads) reject(lost());
  }
}

/** Opens a mirror, loaded at revision 10. */
async function openMirror(etcd: ScriptedEtcd, clock: SteppedClock) {
  let isOpen = false;
  const mirror = EtcdMirror.open(etcd as unknown as EtcdClient, { endpoints: [], clock }).finally(() => {
    isOpen = true;
  });
  etcd.reads.shift()!.resolve(rangeAnswer(10));
  await settled();
  return { mirror, isOpen: () => isOpen };
}

it.each([
  [
    'when its watch stands, so that others may compact what it has loaded',
    ({ onMessage }: Handlers) => onMessage(watchCreated(10)),
  ],
  ['when the first watch is lost, and tries again', ({ onEnd }: Handlers) => onEnd(lost())],
])('is open %s', async (_, happens) => {
  const etcd = new ScriptedEtcd();
  const opening = await openMirror(etcd, new SteppedClock());
  expect(opening.isOpen()).toBe(false);
  happens(etcd.streams[0]!);
  await using _mirror = await opening.mirror;
  using _closing = etcd;
});

it('goes on where it was when its own writes are acknowledged while it asks how far etcd is', async () => {
  const etcd = new ScriptedEtcd();
  const clock = new SteppedClock();
  const opening = await openMirror(etcd, clock);
  etcd.streams[0]!.onMessage(watchCreated(10));
  await using mirror = await opening.mirror;
  using _closing = etcd;
  let ended = false;
  using _watch = mirror.view.watch({ prefix: '', onEvents: () => {}, onEnd: () => (ended = true) });

  etcd.streams.shift()!.onEnd(lost());
  await settled();
  await clock.step(60);
  expect(etcd.reads).toHaveLength(1);
  mirror.acknowledge(11, [{ key: '/a', value: Buffer.from('x') }]);
  etcd.reads.shift()!.resolve(rangeAnswer(10));
  await settled();

  expect(etcd.reads, 'nothing is loaded again').toEqual([]);
  expect(etcd.streams).toHaveLength(1);
  expect({ ended, revision: mirror.view.revision }).toEqual({ ended: false, revision: 11 });
});
