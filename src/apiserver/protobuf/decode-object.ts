import { unrecognized } from '../schema/body-errors.ts';
import type { GroupVersionKind } from '../schema/contract.ts';
import type { StructNode } from '../schema/published-nodes.ts';
import { decodeMessage } from './decode-message.ts';
import { WireError, WireReader } from './wire-reader.ts';

const MAGIC = Buffer.from('k8s\0');

/** The struct of a published kind, undefined for one that is not known. */
export type StructOf = (apiVersion: string, kind: string) => StructNode | undefined;

/**
 * Decodes a request body of `application/vnd.kubernetes.protobuf` (the magic, then a runtime.Unknown) into a JSON value with
 * apiVersion and kind as the body gives them. Throws ApiStatusError BadRequest.
 */
export function decodeObject(body: Buffer, expected: GroupVersionKind, structOf: StructOf): Record<string, unknown> {
  if (!body.subarray(0, 4).equals(MAGIC))
    throw unrecognized(
      expected,
      'provided data does not appear to be a protobuf message, expected prefix [107 56 115 0]',
      body,
    );
  try {
    const { apiVersion, kind, raw } = readUnknown(body.subarray(4));
    const groupVersion = expected.group === '' ? expected.version : `${expected.group}/${expected.version}`;
    const struct = structOf(apiVersion || groupVersion, kind || expected.kind);
    return { ...(struct ? decodeMessage(raw, struct) : {}), apiVersion, kind };
  } catch (error) {
    if (error instanceof WireError) throw unrecognized(expected, error.message, body);
    throw error;
  }
}

function readUnknown(bytes: Buffer): { readonly apiVersion: string; readonly kind: string; readonly raw: Buffer } {
  const reader = new WireReader(bytes);
  let [apiVersion, kind] = ['', ''];
  let raw: Buffer = Buffer.alloc(0);
  while (!reader.done) {
    const { number, wireType } = reader.tag();
    if (number === 1 && wireType === 2) ({ apiVersion, kind } = readTypeMeta(reader.bytes()));
    else if (number === 2 && wireType === 2) raw = reader.bytes();
    else reader.skip(wireType);
  }
  return { apiVersion, kind, raw };
}

function readTypeMeta(bytes: Buffer): { readonly apiVersion: string; readonly kind: string } {
  const reader = new WireReader(bytes);
  const texts = new Map<number, string>();
  while (!reader.done) {
    const { number, wireType } = reader.tag();
    if (wireType === 2) texts.set(number, reader.bytes().toString());
    else reader.skip(wireType);
  }
  return { apiVersion: texts.get(1) ?? '', kind: texts.get(2) ?? '' };
}
