import type { ApplyMergePatch } from './contract.ts';
import { isJsonObject, own, withField, withoutField } from './json-value.ts';

/** Applies a JSON merge patch (RFC 7386): null removes, objects merge, everything else replaces. Changes neither argument. */
export const applyMergePatch: ApplyMergePatch = (document, patch) => {
  if (!isJsonObject(patch)) return patch;
  let result = isJsonObject(document) ? document : {};
  for (const key of Object.keys(patch)) {
    const value = patch[key];
    if (value === null) {
      if (Object.hasOwn(result, key)) result = withoutField(result, key);
    } else result = withField(result, key, applyMergePatch(own(result, key), value));
  }
  return result;
};
