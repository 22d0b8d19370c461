const SLAB = 8 * 1024;

let slab = Buffer.allocUnsafeSlow(0);
let used = SLAB;

/**
 * Text as bytes that are kept for long. They lie beside their like: in Node's own pool each would keep the bytes of the requests and
 * answers around it.
 */
export function keptBytes(text: string): Buffer {
  const length = Buffer.byteLength(text);
  if (length > SLAB / 2) return written(Buffer.allocUnsafeSlow(length), text);
  if (used + length > SLAB) {
    slab = Buffer.allocUnsafeSlow(SLAB);
    used = 0;
  }
  const bytes = slab.subarray(used, used + length);
  used += length;
  return written(bytes, text);
}

function written(bytes: Buffer, text: string): Buffer {
  bytes.write(text);
  return bytes;
}
