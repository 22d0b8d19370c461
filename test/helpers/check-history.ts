/** One operation on one key as its caller saw it; times are of any clock that all callers share. */
export interface HistoryEntry {
  readonly key: string;
  readonly start: number;
  readonly end: number;
  /** A read tells the revision of the version that it saw, 0 for none; a write that was acknowledged the one that it made. */
  readonly type: 'read' | 'write';
  readonly revision: number;
  /** Of a write: the revision that it replaced, 0 for none. */
  readonly replaced?: number;
}

/**
 * What keeps a history from being linearizable, undefined when nothing does. Revisions tell in which order the versions of a key
 * came, so that each key needs four things only: every write replaced the one before it; no operation that began after another
 * had ended shows or makes an older version; nobody saw a version before its write began.
 */
export function findAnomaly(history: readonly HistoryEntry[]): string | undefined {
  for (const entries of Map.groupBy(history, ({ key }) => key).values()) {
    const found = findReplaced(entries) ?? findFuture(entries) ?? findStale(entries);
    if (found !== undefined) return found;
  }
  return undefined;
}

function findReplaced(entries: readonly HistoryEntry[]): string | undefined {
  const writes = entries.filter(({ type }) => type === 'write').sort((a, b) => a.revision - b.revision);
  const wrong = writes.find(({ replaced }, index) => replaced !== (writes[index - 1]?.revision ?? 0));
  return wrong && `the write ${tell(wrong)} replaced ${wrong.replaced}, which was not the version before it`;
}

function findFuture(entries: readonly HistoryEntry[]): string | undefined {
  const writes = new Map(entries.filter(({ type }) => type === 'write').map((write) => [write.revision, write]));
  const early = entries.find(
    ({ type, revision, end }) =>
      type === 'read' && revision !== 0 && !((writes.get(revision)?.start ?? Infinity) <= end),
  );
  return early && `the read ${tell(early)} saw a version that nobody had begun to write`;
}

function findStale(entries: readonly HistoryEntry[]): string | undefined {
  const byStart = [...entries].sort((a, b) => a.start - b.start);
  const byEnd = [...entries].sort((a, b) => a.end - b.end);
  let [ended, newest] = [0, byEnd[0]];
  for (const entry of byStart) {
    for (; byEnd[ended] !== undefined && byEnd[ended]!.end < entry.start; ended++)
      if (byEnd[ended]!.revision > (newest?.revision ?? 0) || ended === 0) newest = byEnd[ended];
    if (ended > 0 && newest !== undefined && entry.revision < newest.revision)
      return `the ${entry.type} ${tell(entry)} came after ${tell(newest)} had ended`;
  }
  return undefined;
}

const tell = ({ key, revision, start, end }: HistoryEntry): string => `${key}@${revision} [${start}, ${end}]`;
