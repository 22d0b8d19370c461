import { afterAll, beforeAll, describe } from 'vitest';
import { EtcdStore } from '../../../src/store/etcd/etcd-store.ts';
import { EtcdPeer, findEtcd, NO_ETCD } from '../../helpers/etcd-peer.ts';
import { realClock } from '../../helpers/real-clock.ts';
import { describeStore } from './store-suite.ts';

const etcd = findEtcd();
let clusters = 0;

describe.skipIf(etcd === undefined)(`with a real etcd [${NO_ETCD}]`, () => {
  let peer: EtcdPeer;
  beforeAll(async () => {
    peer = await EtcdPeer.start(etcd!);
  });
  afterAll(() => peer[Symbol.asyncDispose]());

  describeStore('etcd, all keys', async () => {
    const own = await EtcdPeer.start(etcd!);
    const open = () => EtcdStore.open({ endpoints: [own.endpoint], clock: realClock });
    return {
      open,
      another: open,
      pass: async () => {},
      close: () => own[Symbol.asyncDispose](),
    };
  });

  // One server for all tests, as several clusters share it: others write beside, so that revisions have gaps.
  describeStore('etcd, keys under a prefix', async () => {
    const prefix = `/cluster-${clusters++}`;
    const open = () => EtcdStore.open({ endpoints: [peer.endpoint], prefix, clock: realClock });
    return {
      open,
      another: open,
      pass: async () => {},
      close: async () => {},
    };
  });
});
