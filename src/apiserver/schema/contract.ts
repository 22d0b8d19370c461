import type { KubeObject } from '../../kube/resources.ts';
import type { ApiStatusError } from '../../kube/status.ts';

export interface GroupVersionKind {
  /** '' for the core group. */
  readonly group: string;
  readonly version: string;
  readonly kind: string;
}

/** Where a resource or subresource stands in the published API: facts for discovery and routing, derived from the schema. */
export interface ResourceFacts {
  readonly group: string;
  readonly version: string;
  /** Plural, the path segment: `services`. */
  readonly resource: string;
  /** `status`, `scale`, `eviction`, ..., undefined for the resource itself. */
  readonly subresource: string | undefined;
  readonly namespaced: boolean;
  /** Kind of the object at this path; for a subresource often that of another group version (`autoscaling/v1 Scale`). */
  readonly kind: GroupVersionKind;
  /** Defined by a CRD. */
  readonly custom?: boolean;
  /** As discovery writes them, sorted: create, delete, deletecollection, get, list, patch, update, watch. */
  readonly verbs: readonly string[];
}

/** One place in an object, as the patches, the decoder and managedFields see it. Built-in and custom kinds look the same. */
export interface SchemaNode {
  readonly type:
    | 'struct'
    | 'map'
    | 'list'
    | 'string'
    | 'int32'
    | 'int64'
    | 'float64'
    | 'boolean'
    | 'bytes'
    | 'time'
    | 'microTime'
    | 'quantity'
    | 'intOrString'
    | 'any';
  /** The Go type as error texts print it: `v1.ServicePort`, `[]string`; '' in a CRD's schema. */
  readonly goType: string;
  /** Struct: its fields by JSON name. */
  readonly fields?: ReadonlyMap<string, SchemaField>;
  /** Map and list: what their values are. */
  readonly element?: SchemaNode;
  /** List: how server-side apply merges it. Undefined means atomic. */
  readonly listType?: 'atomic' | 'set' | 'map';
  readonly listMapKeys?: readonly string[];
  /** Map and struct: undefined means granular. */
  readonly mapType?: 'granular' | 'atomic';
  /** Strategic merge patch: `merge`, `replace`, `retainKeys`; undefined means replace for lists, merge for maps. */
  readonly patchStrategies?: readonly string[];
  readonly patchMergeKey?: string;
  /** Of list items and map values: the values that the published schema lists. */
  readonly enum?: readonly string[];
  /** CRD: fields that the schema does not name are kept. */
  readonly preserveUnknown?: boolean;
}

export interface SchemaField {
  readonly name: string;
  readonly node: SchemaNode;
  /** The published schema lists it as required (a semantic rule, not a rule of decoding). */
  readonly required: boolean;
  /** Default of the published schema, for example '' or {} or TCP; undefined when there is none. */
  readonly default?: unknown;
  /** How Go holds and prints it: a nil pointer differs from the zero value; `omit*` leave nothing on the wire. */
  readonly pointer: boolean;
  readonly omitEmpty: boolean;
  readonly omitZero: boolean;
  /** Values that the published schema lists. */
  readonly enum?: readonly string[];
  /** 0 where the kind has no protobuf form. */
  readonly protobufNumber: number;
  /** Name of the embedded Go struct that it comes from; error texts show it. */
  readonly embeddedIn?: string;
}

export interface DecodedObject {
  /** Pruned and in the form in which the real server would write it; still without defaults. The caller may change it. */
  readonly object: KubeObject;
  /**
   * What field validation complains of, one text each in the real server's words and order, for example
   * `unknown field "spec.foo"` or `duplicate field "spec.ports[0].name"`: for `Strict` give them to `strictError`, for
   * `Warn` send `warnings`, for `Ignore` drop them.
   */
  readonly fieldErrors: readonly string[];
  /** The same as Warning headers say it (YAML errors are worded otherwise there). */
  readonly warnings: readonly string[];
}

export type BodyFormat = 'json' | 'yaml' | 'protobuf';

/** All that the generic machinery asks about one kind; one mechanism for built-in and custom kinds. */
export interface KindSchema extends GroupVersionKind {
  readonly custom: boolean;
  /** The kind has a `status` subresource: its status is written there and nowhere else. */
  readonly hasStatus: boolean;
  /** The root: a struct with apiVersion, kind and metadata. */
  readonly node: SchemaNode;
  /**
   * Decodes a request body. Throws ApiStatusError BadRequest with the real server's text when it is no JSON or YAML, a
   * type does not match, or apiVersion or kind is that of another kind. Missing apiVersion and kind are filled in.
   */
  decode(body: Buffer, format: BodyFormat): DecodedObject;
  /** The same for a value that was parsed already: the result of a patch, or an object of an in-process client. `value` is not changed. */
  decodeValue(value: unknown): DecodedObject;
  /**
   * Parses the body of a server-side apply and no more: JSON or YAML, zero values and unknown fields as they stand, since the
   * applier owns what is written there. Throws ApiStatusError BadRequest.
   */
  readConfiguration(body: Buffer): DecodedObject;
  /**
   * Fills in what the real server's static defaulting fills in for this version (Pod restartPolicy, Service type, Probe
   * periods, CRD `default`); returns a new object where something changed. Not: what needs the cluster (clusterIP, ports).
   */
  applyDefaults<T extends KubeObject>(object: T): T;
  /** Violations of a CRD's structural schema and CEL rules as causes of a 422; always empty for built-in kinds. */
  validate(object: KubeObject, previous: KubeObject | undefined, warn: (text: string) => void): readonly FieldCause[];
}

/** One cause of an Invalid Status. */
export interface FieldCause {
  readonly reason: string;
  readonly message: string;
  readonly field: string;
}

/** Every kind that the server can decode: the published ones, options and reviews, and those of CRDs that came in. */
export interface SchemaRegistry {
  /** Undefined when unknown. Cheap: the first call for a kind builds it, later ones look it up. */
  kind(groupVersionKind: GroupVersionKind): KindSchema | undefined;
  /** All resources and subresources of the published API, sorted by group, version, resource. Not those of CRDs. */
  resources(): readonly ResourceFacts[];
  /** 400 as the real server words it for fieldValidation=Strict: `X in version "v1" cannot be handled as a X: strict decoding error: ...`. */
  strictError(kind: GroupVersionKind, fieldErrors: readonly string[]): ApiStatusError;
}

/** What OpenAPI asks of the machinery: which resources are served now, custom ones included. */
export interface ServedGroupVersion {
  readonly group: string;
  readonly version: string;
  readonly resources: readonly ResourceFacts[];
  /** Schemas of CRDs in this group version by kind; published kinds are not repeated here. */
  readonly customSchemas: ReadonlyMap<string, unknown>;
}

export interface OpenApiDocument {
  readonly body: Buffer;
  /** Hex digest: the `hash` of the path and, in quotes, the ETag. */
  readonly hash: string;
}

/** `/openapi/v3` and its documents, each built when first asked for and again when its group version changes. */
export interface OpenApiPublisher {
  /** Body of `/openapi/v3`: `{"paths":{"api/v1":{"serverRelativeURL":"/openapi/v3/api/v1?hash=..."}}}`. */
  index(): OpenApiDocument;
  /** `path` as in the index: `api/v1`, `apis/apps/v1`; undefined when not served. */
  document(path: string): OpenApiDocument | undefined;
  /** `/openapi/v2`, all group versions in one document: gnostic's protobuf when that is asked for, else JSON. */
  v2(accept: string): OpenApiDocument & { readonly contentType: string };
}
