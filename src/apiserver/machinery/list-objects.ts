import { hasCode } from '../../errors/towtank-error.ts';
import { ApiStatusError } from '../../kube/status.ts';
import type { KeyValue, RangeResult } from '../../store/store.ts';
import { type ContinueToken, decodeContinue, EXPIRED_CONTINUE, encodeContinue } from './continue-token.ts';
import { badRequest, expired, invalidObject } from './errors.ts';
import type { Machinery } from './machinery.ts';
import { listPrefix, objectKey } from './object-keys.ts';
import { buildMatcher, type Matcher, type Selection } from './selection.ts';
import { storedObject } from './stored-object.ts';

const PAGE = 500;

export interface ListRequest extends Selection {
  /** At most this many; 0 means all. */
  readonly limit?: number | undefined;
  readonly continue?: string | undefined;
  readonly resourceVersion?: string | undefined;
  readonly resourceVersionMatch?: string | undefined;
}

export interface ListResult {
  readonly entries: readonly KeyValue[];
  /** Version of the snapshot: a watch from it misses nothing. */
  readonly revision: number;
  readonly continue?: string | undefined;
  readonly remainingItemCount?: number | undefined;
}

/** A list as of one revision. Rejects with BadRequest, Invalid or Expired (410) as the real server does. */
export async function listObjects(machinery: Machinery, request: ListRequest): Promise<ListResult> {
  const matcher = buildMatcher(request);
  const token = request.continue ? decodeContinue(request.continue) : undefined;
  const atRevision = revisionOf(machinery, request, token);
  const wait = atRevision === undefined ? machinery.store.barrier() : undefined;
  if (wait) await wait;
  return collect(machinery, request, matcher, { after: token?.start, atRevision });
}

interface From {
  readonly after: string | undefined;
  readonly atRevision: number | undefined;
}

function collect({ store }: Machinery, request: ListRequest, matcher: Matcher, from: From): ListResult {
  const { resource, limit = 0 } = request;
  const prefix = listPrefix(resource.stored.prefix, request.namespace ?? matcher.namespace);
  const root = resource.stored.prefix;
  const only = matcher.name === undefined ? undefined : single(request, matcher);
  if (only && from.atRevision === undefined && from.after === undefined) {
    const entry = store.get(only);
    return { entries: entry && matcher.matches(storedObject(entry)) ? [entry] : [], revision: store.revision };
  }
  const entries: KeyValue[] = [];
  let { after, atRevision } = { after: from.after && root + from.after, atRevision: from.atRevision };
  for (;;) {
    const page = read(() =>
      store.range(prefix, { limit: limit === 0 ? 0 : pageSize(limit, matcher), after, atRevision }),
    );
    atRevision = page.revision;
    if (matcher.all && limit === 0) return { entries: page.items, revision: page.revision };
    for (let i = 0; i < page.items.length; i++) {
      const entry = page.items[i]!;
      if (!matcher.all && !matcher.matches(storedObject(entry))) continue;
      entries.push(entry);
      const remaining = page.remaining + page.items.length - 1 - i;
      if (entries.length === limit && remaining > 0) {
        const next = encodeContinue({ revision: page.revision, start: entry.key.slice(root.length) });
        return {
          entries,
          revision: page.revision,
          continue: next,
          ...(matcher.all ? { remainingItemCount: remaining } : {}),
        };
      }
    }
    if (page.remaining === 0 || page.items.length === 0) return { entries, revision: page.revision };
    after = page.items.at(-1)!.key;
  }
}

function pageSize(limit: number, matcher: Matcher): number {
  return matcher.all ? limit : Math.max(limit, PAGE);
}

// The one key that can match a selector with metadata.name; undefined when the namespace is open.
function single({ resource, namespace }: ListRequest, matcher: Matcher): string | undefined {
  if (!resource.type.namespaced) return objectKey(resource.stored.prefix, undefined, matcher.name ?? '');
  const where = namespace ?? matcher.namespace;
  return where === undefined ? undefined : objectKey(resource.stored.prefix, where, matcher.name ?? '');
}

function read(range: () => RangeResult): RangeResult {
  try {
    return range();
  } catch (error) {
    if (hasCode(error, 'ERR_STORE_COMPACTED')) throw expired(EXPIRED_CONTINUE);
    throw error;
  }
}

function revisionOf(machinery: Machinery, request: ListRequest, token: ContinueToken | undefined): number | undefined {
  const { resourceVersion = '', resourceVersionMatch = '' } = request;
  validateVersionMatch(request);
  if (token) return token.revision;
  const version = parseResourceVersion(resourceVersion);
  if (version > machinery.store.revision) throw tooLarge(version, machinery.store.revision);
  if (resourceVersionMatch === 'Exact') return version;
  return undefined;
}

/** A resourceVersion of a query; '' is 0. Throws ApiStatusError BadRequest. */
export function parseResourceVersion(text: string): number {
  if (text === '') return 0;
  if (!/^\d{1,19}$/.test(text)) {
    throw badRequest(
      `invalid resource version: resourceVersion: Invalid value: ${JSON.stringify(text)}: strconv.ParseUint: parsing ${JSON.stringify(text)}: invalid syntax`,
    );
  }
  return Number(text);
}

/** 504 with the cause by which clients know that a server has not seen this version yet. */
export function tooLarge(version: number, current: number): Error {
  const message = `Timeout: Too large resource version: ${version}, current: ${current}`;
  return new ApiStatusError('Timeout', message, {
    causes: [{ reason: 'ResourceVersionTooLarge', message: 'Too large resource version' }],
    retryAfterSeconds: 1,
  });
}

function validateVersionMatch(request: ListRequest): void {
  const { resourceVersion = '', resourceVersionMatch: match = '' } = request;
  if (match === '') {
    if (request.continue && resourceVersion !== '' && resourceVersion !== '0') {
      throw badRequest('specifying resource version is not allowed when using continue');
    }
    return;
  }
  const fail = (message: string, reason = 'FieldValueForbidden'): never => {
    const cause = { reason, field: 'resourceVersionMatch', message };
    throw invalidObject({ group: 'meta.k8s.io', kind: 'ListOptions' }, '', [cause]);
  };
  if (match !== 'Exact' && match !== 'NotOlderThan') {
    fail(
      `Unsupported value: ${JSON.stringify(match)}: supported values: "Exact", "NotOlderThan", ""`,
      'FieldValueNotSupported',
    );
  }
  if (request.continue) fail('Forbidden: resourceVersionMatch is forbidden when continue is provided');
  if (resourceVersion === '') fail('Forbidden: resourceVersionMatch is forbidden unless resourceVersion is provided');
  if (match === 'Exact' && resourceVersion === '0') {
    fail('Forbidden: resourceVersionMatch "exact" is forbidden for resourceVersion "0"');
  }
}
