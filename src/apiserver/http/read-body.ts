import type { KubeObject } from '../../kube/resources.ts';
import { ApiStatusError } from '../../kube/status.ts';
import type { Machinery, RequestContext } from '../machinery/machinery.ts';
import { checkFields } from '../machinery/patch-object.ts';
import type { BodyFormat, KindSchema } from '../schema/contract.ts';
import type { ApiRequest } from './api-request.ts';

const formats: Readonly<Record<string, BodyFormat>> = {
  '': 'json',
  'application/json': 'json',
  'application/yaml': 'yaml',
  'application/vnd.kubernetes.protobuf': 'protobuf',
};

/** The media type of a header without its parameters, in lower case. */
export function mediaTypeOf(header: string | undefined): string {
  return (header ?? '').split(';')[0]!.trim().toLowerCase();
}

/** The body's format; no Content-Type means JSON. Throws ApiStatusError UnsupportedMediaType (415). */
export function bodyFormat({ headers }: ApiRequest): BodyFormat {
  const format = formats[mediaTypeOf(headers['content-type'])];
  if (format) return format;
  throw unsupportedMediaType(['application/json', 'application/yaml', 'application/vnd.kubernetes.protobuf']);
}

/** 415 that names what is taken. */
export function unsupportedMediaType(supported: readonly string[]): ApiStatusError {
  const message = `the body of the request was in an unknown format - accepted media types include: ${supported.join(', ')}`;
  return new ApiStatusError('UnsupportedMediaType', message);
}

/** Decodes the body as an object of this kind, with field validation as the request asks for it. */
export function readObject(
  machinery: Pick<Machinery, 'schemas'>,
  schema: KindSchema,
  request: ApiRequest,
  context: RequestContext,
): KubeObject {
  const decoded = schema.decode(request.body, bodyFormat(request));
  checkFields(machinery, schema, decoded, context);
  return decoded.object;
}
