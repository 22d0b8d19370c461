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

/** Strategic merge patch with all directives. Throws ApiStatusError BadRequest with the real server's text. */
export type ApplyStrategicMergePatch = (document: unknown, patch: unknown, node: SchemaNode) => unknown;

/** A write whose fields come to be owned. */
export interface ManagedChange {
  readonly schema: KindSchema;
  /** The object as stored, in the version of `schema`, or undefined when it is created. */
  readonly live: KubeObject | undefined;
  readonly writer: FieldWriter;
  /** The object in another served version of its kind, for owners who wrote through that; absent when there is one version. */
  readonly convert?: (
    object: KubeObject,
    apiVersion: string,
  ) => { readonly object: KubeObject; readonly node: SchemaNode } | undefined;
}

export interface ServerSideApplyRequest extends ManagedChange {
  /**
   * The patch body as it was parsed, not decoded: the applier owns exactly the fields that stand there, zero values
   * included and Go's additions not. Its apiVersion and kind must be there; it is checked against the schema here.
   */
  readonly applied: KubeObject;
  readonly force: boolean;
}

/**
 * Merges, or throws ApiStatusError: Conflict (409) with one FieldManagerConflict cause for each field, BadRequest with the
 * real server's text when `applied` does not fit the schema. The result is decoded, without new defaults, with new
 * managedFields.
 */
export type ServerSideApply = (request: ServerSideApplyRequest) => KubeObject;

export interface TrackUpdateRequest extends ManagedChange {
  /**
   * The object as the client wants it with its defaults, before admission and before the registry fills in what nobody is to
   * own (clusterIP, node ports); its managedFields are what the client sent.
   */
  readonly updated: KubeObject;
}

/** Gives `updated` its new managedFields: what an update by POST, PUT or PATCH changed belongs to the writer from now on. */
export type TrackUpdate = (request: TrackUpdateRequest) => KubeObject;
