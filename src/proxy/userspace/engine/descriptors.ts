/** A byte for each descriptor number: 1 while the engine owns it. Shared, so that what a thread that died left open can be closed. */
export type DescriptorTable = Uint8Array<SharedArrayBuffer>;

const MOST = 1 << 20;

/** A table in which nothing is open. Memory is used only where descriptors are. */
export function createDescriptorTable(): DescriptorTable {
  return new Uint8Array(new SharedArrayBuffer(MOST));
}
