import type { Node, Pod, Secret, ServiceAccount, TokenRequest } from '../../kube/generated/types.ts';
import { type KubeObject, type ResourceType, resources } from '../../kube/resources.ts';
import { type Store, StoreConflictError } from '../../store/store.ts';
import { createKeyPair } from '../certificates/create-certificate.ts';
import { badRequest, conflict, invalidObject, notFound } from '../machinery/errors.ts';
import { type Machinery, printTime } from '../machinery/machinery.ts';
import type { Caller } from '../machinery/strategy.ts';
import { invalid } from '../validation/field-errors.ts';
import { type Claims, readSigningKey, readToken, type SigningKey, signToken } from './json-web-token.ts';
import { serviceAccountGroups, serviceAccountUserName } from './service-account-name.ts';

const KEY = '/towtank/service-account-key';
const MIN_SECONDS = 600;
const MAX_SECONDS = 2 ** 32;
const DEFAULT_SECONDS = 3600;

/** Who a token speaks for, and to whom. */
export interface TokenReviewResult {
  readonly caller: Caller;
  readonly audiences: readonly string[];
}

/** Issues and reads service account tokens. Its key lives in the store, so that all servers on one store share it. */
export class ServiceAccountTokens {
  readonly issuer: string;
  readonly key: SigningKey;
  readonly #machinery: Machinery;
  readonly #callers = new Map<string, Caller>();

  private constructor(machinery: Machinery, key: SigningKey, issuer: string) {
    this.#machinery = machinery;
    this.key = key;
    this.issuer = issuer;
  }

  /** Takes the key of the store, or makes one. */
  static async create(machinery: Machinery, issuer: string): Promise<ServiceAccountTokens> {
    return new ServiceAccountTokens(machinery, readSigningKey(await ensureKey(machinery.store)), issuer);
  }

  /** Answers a TokenRequest for this ServiceAccount. Throws ApiStatusError for wishes that cannot be met. */
  issue(account: ServiceAccount, request: TokenRequest): TokenRequest {
    const { name = '', namespace = '', uid = '' } = account.metadata ?? {};
    const seconds = request.spec?.expirationSeconds ?? DEFAULT_SECONDS;
    validateSeconds(seconds);
    const audiences = request.spec?.audiences?.length ? request.spec.audiences : [this.issuer];
    const bound = this.#boundClaims(account, request);
    const now = Math.floor(this.#machinery.clock.now() / 1000);
    const token = signToken(this.key, {
      aud: audiences,
      exp: now + seconds,
      iat: now,
      iss: this.issuer,
      jti: crypto.randomUUID(),
      'kubernetes.io': { namespace, ...bound, serviceaccount: { name, uid } },
      nbf: now,
      sub: serviceAccountUserName(namespace, name),
    });
    return {
      ...request,
      kind: 'TokenRequest',
      apiVersion: 'authentication.k8s.io/v1',
      metadata: { name, namespace, creationTimestamp: printTime(now * 1000) },
      spec: { ...request.spec, audiences, expirationSeconds: seconds },
      status: { token, expirationTimestamp: printTime((now + seconds) * 1000) },
    };
  }

  /** The user of a token that is valid now for one of these audiences; undefined otherwise. */
  review(token: string, audiences: readonly string[] = [this.issuer]): TokenReviewResult | undefined {
    const claims = readToken(this.key, token);
    if (claims === undefined || claims['iss'] !== this.issuer) return undefined;
    const now = this.#machinery.clock.now() / 1000;
    if (!(Number(claims['exp']) > now) || Number(claims['nbf']) > now) return undefined;
    const common = audiences.filter((audience) => [claims['aud']].flat().includes(audience));
    const caller = common.length > 0 ? this.#callerOf(claims) : undefined;
    return caller && { caller, audiences: common };
  }

  #callerOf(claims: Claims): Caller | undefined {
    const bound = (claims['kubernetes.io'] ?? {}) as BoundClaims;
    const { namespace = '', serviceaccount, pod, secret, node } = bound;
    const account = this.#find<ServiceAccount>(resources.serviceAccounts, namespace, serviceaccount);
    if (!account || claims['sub'] !== serviceAccountUserName(namespace, serviceaccount?.name ?? '')) return undefined;
    if (pod && !this.#find<Pod>(resources.pods, namespace, pod)) return undefined;
    if (secret && !this.#find<Secret>(resources.secrets, namespace, secret)) return undefined;
    const key = JSON.stringify([claims['jti'], claims['sub'], account.metadata?.uid]);
    const known = this.#callers.get(key);
    if (known) return known;
    const caller: Caller = {
      name: String(claims['sub']),
      ...(account.metadata?.uid ? { uid: account.metadata.uid } : {}),
      groups: [...serviceAccountGroups(namespace), 'system:authenticated'],
      extra: extraOf(claims, pod, node),
    };
    if (this.#callers.size > 1024) this.#callers.clear();
    this.#callers.set(key, caller);
    return caller;
  }

  // An object of the same name that was made later is another one.
  #find<T extends KubeObject>(type: ResourceType<T>, namespace: string, wanted: Reference | undefined): T | undefined {
    const found = wanted && this.#machinery.reader.get(type, { namespace, name: wanted.name });
    return found?.metadata?.uid === wanted?.uid ? found : undefined;
  }

  #boundClaims(account: ServiceAccount, { spec }: TokenRequest): Omit<BoundClaims, 'namespace' | 'serviceaccount'> {
    const bound = spec?.boundObjectRef;
    if (!bound) return {};
    const { namespace = '', name: accountName } = account.metadata ?? {};
    const { kind, name = '', uid = '' } = bound;
    const types = { Pod: resources.pods, Secret: resources.secrets, Node: resources.nodes } as const;
    const type: ResourceType | undefined = types[kind as keyof typeof types];
    if (!type)
      throw badRequest(`cannot bind token for serviceaccount to object of type ${bound.apiVersion}, Kind=${kind}`);
    const object: Pod | Secret | Node | undefined = this.#machinery.reader.get(type, { namespace, name });
    if (!object) throw notFound(type, name);
    const live = object.metadata?.uid ?? '';
    if (uid !== '' && uid !== live) {
      throw conflict(
        type,
        name,
        `the UID in the bound object reference (${uid}) does not match the UID in record. The object might have been deleted and then recreated`,
      );
    }
    if (kind !== 'Pod') return { [kind === 'Node' ? 'node' : 'secret']: { name, uid: live } };
    const { serviceAccountName, nodeName } = (object as Pod).spec ?? {};
    if (serviceAccountName !== accountName) {
      throw badRequest(
        `cannot bind token for serviceaccount "${accountName}" to pod running with different serviceaccount name.`,
      );
    }
    const node = nodeName ? this.#machinery.reader.get(resources.nodes, { name: nodeName }) : undefined;
    return {
      ...(nodeName ? { node: { name: nodeName, uid: node?.metadata?.uid ?? '' } } : {}),
      pod: { name, uid: live },
    };
  }
}

interface Reference {
  readonly name: string;
  readonly uid: string;
}

interface BoundClaims {
  readonly namespace?: string;
  readonly serviceaccount?: Reference;
  readonly pod?: Reference;
  readonly secret?: Reference;
  readonly node?: Reference;
}

function extraOf(claims: Claims, pod: Reference | undefined, node: Reference | undefined): Record<string, string[]> {
  const prefix = 'authentication.kubernetes.io/';
  return {
    [`${prefix}credential-id`]: [`JTI=${String(claims['jti'])}`],
    ...(node ? { [`${prefix}node-name`]: [node.name], [`${prefix}node-uid`]: [node.uid] } : {}),
    ...(pod ? { [`${prefix}pod-name`]: [pod.name], [`${prefix}pod-uid`]: [pod.uid] } : {}),
  };
}

function validateSeconds(seconds: number): void {
  const path = 'spec.expirationSeconds';
  const causes = [
    ...(seconds < MIN_SECONDS ? [invalid(path, seconds, 'may not specify a duration less than 10 minutes')] : []),
    ...(seconds > MAX_SECONDS ? [invalid(path, seconds, 'may not specify a duration larger than 2^32 seconds')] : []),
  ];
  if (causes.length > 0) throw invalidObject({ group: 'authentication.k8s.io', kind: 'TokenRequest' }, '', causes);
}

async function ensureKey(store: Store): Promise<string> {
  for (;;) {
    const known = store.get(KEY);
    if (known) return known.value.toString();
    const pem = createKeyPair().privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
    try {
      await store.commit([{ key: KEY, value: Buffer.from(pem), expect: 0 }]);
    } catch (error) {
      // Another server was quicker: its key is ours.
      if (!(error instanceof StoreConflictError)) throw error;
    }
  }
}
