import type { Service } from '../../kube/generated/types.ts';
import type { KubeObject } from '../../kube/resources.ts';
import { resources } from '../../kube/resources.ts';
import type { ServiceClaim } from '../../kube/service-allocator.ts';
import type { KeyValue, WriteOperation } from '../../store/store.ts';
import { type Machinery, timestamp } from './machinery.ts';
import { nodePortKey, objectKey, prefixOf } from './object-keys.ts';
import type { StoredKind } from './served-resource.ts';
import { encodeObject } from './stored-object.ts';

/** One change of one object, decided and ready to be written. */
export interface PlannedWrite {
  readonly kind: StoredKind;
  readonly key: string;
  /** The version that the decision was made on; undefined when there was none. */
  readonly live: KeyValue | undefined;
  readonly liveObject: KubeObject | undefined;
  /** Undefined deletes. */
  readonly object: KubeObject | undefined;
  readonly lease?: string | undefined;
}

/** Writes the object together with the claims that it takes and gives up. Rejects with StoreConflictError. */
export async function commitWrite(machinery: Machinery, write: PlannedWrite): Promise<KeyValue | undefined> {
  const { kind, key, live, object, lease } = write;
  const expect = live?.modRevision ?? 0;
  const operation = object
    ? objectWrite(object, kind, { key, expect, lease })
    : { key, value: undefined, expect, lease };
  const result = await machinery.store.commit([operation, ...claimOperations(machinery, write)]);
  return result.current[0];
}

// The memory store never needs the bytes, except for clients that come over HTTP.
function objectWrite(
  object: KubeObject,
  { type }: StoredKind,
  facts: Pick<WriteOperation, 'key' | 'expect' | 'lease'>,
): WriteOperation {
  let bytes: Buffer | undefined;
  return {
    ...facts,
    decoded: object,
    get isEncoded(): boolean {
      return bytes !== undefined;
    },
    get value(): Buffer {
      bytes ??= encodeObject(object, type);
      return bytes;
    },
  };
}

/** Store key of a claim: the IPAddress object of a cluster IP, or an entry among the node ports. */
export function claimKey(claim: ServiceClaim): string {
  if (claim.type === 'nodePort') return nodePortKey(claim);
  return objectKey(prefixOf(resources.ipAddresses), undefined, claim.address);
}

function claimOperations(machinery: Machinery, { kind, object, liveObject }: PlannedWrite): WriteOperation[] {
  const { claims } = kind.strategy;
  if (!claims) return [];
  const held = new Map(liveObject ? claims(liveObject).map((claim) => [claimKey(claim), claim]) : []);
  const wanted = new Map(object ? claims(object).map((claim) => [claimKey(claim), claim]) : []);
  const operations: WriteOperation[] = [];
  for (const key of held.keys()) if (!wanted.has(key)) operations.push({ key, value: undefined });
  for (const [key, claim] of wanted) {
    if (held.has(key)) continue;
    operations.push({ key, value: claimValue(machinery, claim, object as Service), expect: 0 });
  }
  return operations;
}

function claimValue(machinery: Machinery, claim: ServiceClaim, service: Service): Buffer {
  const { namespace, name } = service.metadata ?? {};
  if (claim.type === 'nodePort') return Buffer.from(JSON.stringify({ namespace, name }));
  return encodeObject(
    {
      metadata: {
        name: claim.address,
        uid: crypto.randomUUID(),
        creationTimestamp: timestamp(machinery.clock),
        labels: {
          'ipaddress.kubernetes.io/ip-family': claim.address.includes(':') ? 'IPv6' : 'IPv4',
          'ipaddress.kubernetes.io/managed-by': 'ipallocator.k8s.io',
        },
      },
      spec: { parentRef: { resource: 'services', namespace, name: name ?? '' } },
    } as KubeObject,
    resources.ipAddresses,
  );
}
