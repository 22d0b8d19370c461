import type { KubeObject } from '../../kube/resources.ts';
import type { KindSchema, SchemaNode } from '../schema/contract.ts';

/** Who writes, as managedFields records it. */
export interface FieldWriter {
  /** `fieldManager` of the request, else the User-Agent up to its first slash. */
  readonly manager: string;
  /** '' for the resource itself. */
  readonly subresource: string;
  /** RFC 3339 in whole seconds. */
  readonly time: string;
}

/** RFC 6902. Throws ApiStatusError: BadRequest for a malformed patch, Invalid (422) when an operation cannot be applied. */
export type ApplyJsonPatch = (document: unknown, patch: unknown) => unknown;

/** RFC 7386. */
export type ApplyMergePatch = (document: unknown, patch: unknown) => unknown;

/** Strategic merge patch with all directives. Throws ApiStatusError with the real server's code and text. */
export type ApplyStrategicMergePatch = (document: unknown, patch: unknown, node: SchemaNode) => unknown;

export interface ServerSideApplyRequest {
  readonly schema: KindSchema;
  /** The object as stored, or undefined when it is to be created. */
  readonly live: KubeObject | undefined;
  /** The patch body as decoded, without defaults. */
  readonly applied: KubeObject;
  readonly writer: FieldWriter;
  readonly force: boolean;
}

/** Merges, or throws ApiStatusError Conflict (409) with one FieldManagerConflict cause for each field; the result has new managedFields. */
export type ServerSideApply = (request: ServerSideApplyRequest) => KubeObject;

export interface TrackUpdateRequest {
  readonly schema: KindSchema;
  /** Undefined for a creation. */
  readonly live: KubeObject | undefined;
  /** The object as it is to be stored, after defaults and admission; its managedFields are what the client sent. */
  readonly updated: KubeObject;
  readonly writer: FieldWriter;
}

/** Gives `updated` its new managedFields: what an update by POST, PUT or PATCH changed belongs to the writer from now on. */
export type TrackUpdate = (request: TrackUpdateRequest) => KubeObject;
