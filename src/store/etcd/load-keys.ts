import type { EtcdClient } from './etcd-client.ts';
import {
  decodeRange,
  type EtcdKeyValue,
  encodeRange,
  type Header,
  type KeyRange,
  type RangeRequest,
  type RangeResponse,
} from './messages.ts';

const PAGE = 1000;
const NO_END = Buffer.alloc(0);

/** Asks for a range of keys. Rejects with what etcd says. */
export async function readRange(client: EtcdClient, request: RangeRequest): Promise<RangeResponse> {
  return decodeRange(await client.read('/etcdserverpb.KV/Range', encodeRange(request)));
}

/** Asks which etcd this is and how far it has come. Rejects with what it says. */
export async function readHeader(client: EtcdClient, { key }: KeyRange): Promise<Header> {
  const { header } = await readRange(client, { key, end: NO_END, limit: 1, keysOnly: true });
  return header;
}

/**
 * Gives every key of a range as it is in one revision to `onItem`, whose bytes are the connection's; resolves with that revision.
 * Rejects with what etcd says, also when the revision is compacted meanwhile.
 */
export async function loadKeys(
  client: EtcdClient,
  range: KeyRange,
  onItem: (item: EtcdKeyValue) => void,
): Promise<Header> {
  let { key } = range;
  let header: Header | undefined;
  for (;;) {
    const at: Pick<RangeRequest, 'revision'> = header === undefined ? {} : { revision: header.revision };
    const page = await readRange(client, { key, end: range.end, limit: PAGE, ...at });
    header ??= page.header;
    for (const item of page.items) onItem(item);
    const last = page.items.at(-1);
    if (!page.more || last === undefined) return header;
    key = Buffer.from(`${last.key}\0`);
  }
}
