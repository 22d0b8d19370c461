import { createHash } from 'node:crypto';
import type { OpenApiDocument, OpenApiPublisher, ServedGroupVersion } from '../schema/contract.ts';
import { buildDocument } from './document.ts';
import { encodeV2Document } from './encode-v2.ts';
import { buildV2Document, type V2Document } from './v2-document.ts';

interface Entry {
  readonly hash: string;
  document: OpenApiDocument | undefined;
}

interface V2Entry {
  readonly hash: string;
  readonly document: V2Document;
  json: Buffer | undefined;
  protobuf: Buffer | undefined;
}

/** The documents under `/openapi`. Each is built when it is first asked for; the index needs none of them. */
export class OpenApiDocuments implements OpenApiPublisher {
  readonly #served: () => Iterable<ServedGroupVersion>;
  readonly #entries = new Map<string, Entry>();
  #v2: V2Entry | undefined;

  /** `served` tells the group versions that are served now. */
  constructor(served: () => Iterable<ServedGroupVersion>) {
    this.#served = served;
  }

  index(): OpenApiDocument {
    const paths = [...this.#served()].map((groupVersion) => {
      const path = pathOf(groupVersion);
      return [path, { serverRelativeURL: `/openapi/v3/${path}?hash=${hashOf(groupVersion)}` }] as const;
    });
    const body = Buffer.from(JSON.stringify({ paths: Object.fromEntries(paths) }));
    return { body, hash: digest(body) };
  }

  document(path: string): OpenApiDocument | undefined {
    for (const groupVersion of this.#served())
      if (pathOf(groupVersion) === path) return this.#built(path, groupVersion);
    this.#entries.delete(path);
    return undefined;
  }

  v2(accept: string): OpenApiDocument & { readonly contentType: string } {
    const served = [...this.#served()];
    const hash = digest(served.map(hashOf).join());
    if (this.#v2?.hash !== hash)
      this.#v2 = { hash, document: buildV2Document(served), json: undefined, protobuf: undefined };
    const { document } = this.#v2;
    if (accept.includes('proto-openapi')) {
      this.#v2.protobuf ??= encodeV2Document(document);
      return {
        body: this.#v2.protobuf,
        hash,
        contentType: 'application/com.github.proto-openapi.spec.v2.v1.0+protobuf',
      };
    }
    this.#v2.json ??= Buffer.from(JSON.stringify(document));
    return { body: this.#v2.json, hash, contentType: 'application/json' };
  }

  #built(path: string, groupVersion: ServedGroupVersion): OpenApiDocument {
    const hash = hashOf(groupVersion);
    let entry = this.#entries.get(path);
    if (entry?.hash !== hash) {
      entry = { hash, document: undefined };
      this.#entries.set(path, entry);
    }
    entry.document ??= { body: Buffer.from(JSON.stringify(buildDocument(groupVersion))), hash };
    return entry.document;
  }
}

const pathOf = ({ group, version }: ServedGroupVersion): string =>
  group === '' ? `api/${version}` : `apis/${group}/${version}`;

/** Raised when what is built from the same input changes, so that clients with a cache fetch it anew. */
const FORM = 1;

// Of what a document is built from, which is small, and not of the document, which is not.
function hashOf({ group, version, resources, customSchemas }: ServedGroupVersion): string {
  return digest(JSON.stringify([FORM, group, version, resources, [...customSchemas]]));
}

const digest = (data: string | Buffer): string => createHash('sha256').update(data).digest('hex').toUpperCase();
