/**
 * Runs `step` for 0 .. count-1 in parallel batches of 1, 2, 4, ...: when the first fails (a quota, an invalid template) the
 * rest is not tried. Resolves with the failure of the first batch that had one, if any.
 */
export async function slowStart(
  count: number,
  step: (index: number) => Promise<void>,
): Promise<{ readonly done: number; readonly failure: unknown }> {
  let done = 0;
  for (let start = 0, size = 1; start < count; start += size, size *= 2) {
    const batch = Array.from({ length: Math.min(size, count - start) }, (_, index) => step(start + index));
    const results = await Promise.allSettled(batch);
    const failed = results.find((result) => result.status === 'rejected');
    done += results.filter((result) => result.status === 'fulfilled').length;
    if (failed !== undefined) return { done, failure: failed.reason };
  }
  return { done, failure: undefined };
}
