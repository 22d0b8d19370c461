import type { Random } from '../../kube/clock.ts';
import { type AddressRun, type CompiledAnswer, copyBytes } from '../zone/compiled-answer.ts';

/** Copies a compiled answer to `out` at `at` with its address records in uniformly random order. */
export function writeShuffled(
  answer: CompiledAnswer,
  space: { readonly bytes: Uint8Array; readonly at: number },
  random: Random,
): void {
  copyBytes(answer.bytes, space.bytes, space);
  for (const run of answer.shuffles) {
    if (run.stride > 0) swapRecords(run, space, random);
    else copyInRandomOrder(run, answer.bytes, { ...space, random });
  }
}

function swapRecords(
  { offsets, stride }: AddressRun,
  { bytes: out, at }: { readonly bytes: Uint8Array; readonly at: number },
  random: Random,
): void {
  const start = at + offsets[0]!;
  for (let i = offsets.length - 2; i > 0; i--) {
    const j = Math.floor(random() * (i + 1));
    if (i === j) continue;
    let a = start + i * stride;
    let b = start + j * stride;
    for (const end = a + stride; a < end; a++, b++) {
      const byte = out[a]!;
      out[a] = out[b]!;
      out[b] = byte;
    }
  }
}

// Records of different lengths (A beside AAAA) cannot be swapped in place.
function copyInRandomOrder(
  { offsets }: AddressRun,
  bytes: string,
  { bytes: out, at, random }: { bytes: Uint8Array; at: number; random: Random },
): void {
  const order = Array.from({ length: offsets.length - 1 }, (_, i) => i);
  let to = at + offsets[0]!;
  for (let left = order.length; left > 0; left--) {
    const pick = Math.floor(random() * left);
    const record = order[pick]!;
    order[pick] = order[left - 1]!;
    const end = offsets[record + 1]!;
    copyBytes(bytes, out, { at: to, from: offsets[record]!, to: end });
    to += end - offsets[record]!;
  }
}
