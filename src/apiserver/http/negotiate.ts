/** How an answer is to be shaped. */
export type Representation = 'object' | 'table' | 'partial';

export interface MediaType {
  readonly representation: Representation;
  /** `v1` or `v1beta1` of meta.k8s.io, for tables and partial metadata. */
  readonly version: string;
  readonly contentType: string;
}

interface Range {
  readonly type: string;
  readonly parameters: ReadonlyMap<string, string>;
  readonly quality: number;
}

const JSON_TYPES = new Set(['application/json', 'application/*', '*/*']);
const plainJson: MediaType = { representation: 'object', version: '', contentType: 'application/json' };

/**
 * The first representation that the client accepts and that is served; undefined when there is none (406). Only JSON is
 * written: clients that prefer protobuf name JSON or anything as well.
 */
export function negotiate(accept: string | undefined): MediaType | undefined {
  if (!accept) return plainJson;
  for (const range of parseAccept(accept)) {
    if (!JSON_TYPES.has(range.type)) continue;
    const as = range.parameters.get('as');
    if (as === undefined) return plainJson;
    const media = transformed(as, range.parameters);
    if (media) return media;
  }
  return undefined;
}

function transformed(as: string, parameters: ReadonlyMap<string, string>): MediaType | undefined {
  const version = parameters.get('v') ?? '';
  if (parameters.get('g') !== 'meta.k8s.io' || (version !== 'v1' && version !== 'v1beta1')) return undefined;
  const contentType = 'application/json';
  if (as === 'Table') return { representation: 'table', version, contentType };
  if (as === 'PartialObjectMetadata' || as === 'PartialObjectMetadataList') {
    return { representation: 'partial', version, contentType };
  }
  return undefined;
}

/** The ranges of an Accept header, the preferred first. */
export function parseAccept(accept: string): readonly Range[] {
  const ranges = accept.split(',').map((text): Range => {
    const [type = '', ...rest] = text.split(';').map((part) => part.trim());
    const parameters = new Map(
      rest.map((part) => {
        const at = part.indexOf('=');
        return at === -1 ? [part, ''] : [part.slice(0, at).trim(), part.slice(at + 1).trim()];
      }),
    );
    const quality = Number(parameters.get('q') ?? '1');
    return { type: type.toLowerCase(), parameters, quality: Number.isNaN(quality) ? 0 : quality };
  });
  return ranges.filter(({ quality }) => quality > 0).sort((a, b) => b.quality - a.quality);
}
