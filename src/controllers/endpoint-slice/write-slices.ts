import { resources } from '../../kube/resources.ts';
import { isReason } from '../../kube/status.ts';
import type { ControllerContext } from '../loop/controller-context.ts';
import type { WriteFence } from '../loop/write-fence.ts';
import type { SlicePlan } from './plan-slices.ts';

/** Carries a plan out and lets the fence of `key` wait for it. */
export async function writeSlices(
  { client, informers }: ControllerContext,
  { key, fence }: { readonly key: string; readonly fence: WriteFence },
  { create, update, remove }: SlicePlan,
): Promise<void> {
  const type = resources.endpointSlices;
  const slices = informers.for(type);
  await Promise.all([
    ...create.map(async (slice) => fence.expectWritten(key, slices, await client.create(type, slice))),
    ...update.map(async (slice) => fence.expectWritten(key, slices, await client.update(type, slice))),
  ]);
  // After the others: an endpoint that moves between slices is in both for a moment, never in none.
  await Promise.all(
    remove.map(async (slice) => {
      const { namespace, name = '', uid } = slice.metadata ?? {};
      try {
        await client.delete(type, { namespace, name }, { uid });
      } catch (error) {
        if (!isReason(error, 'NotFound')) throw error;
      }
      fence.expectDeleted(key, slices, slice);
    }),
  );
}
