import type { Readable } from 'node:stream';
import type { Pod } from '../../kube/generated/types.ts';
import type { KubeletConnection, LogOptions } from '../../kube/kubelet-connection.ts';
import { type ApiReply, type ApiRequest, textReply } from '../http/api-request.ts';
import { findEntry } from '../http/read-verbs.ts';
import { readBoolean, readInteger } from '../http/request-options.ts';
import { invalidObject } from '../machinery/errors.ts';
import { storedObject } from '../machinery/stored-object.ts';
import type { FieldCause } from '../schema/contract.ts';
import { methodNotAllowed } from '../subresources/object-subresources.ts';
import type { SubresourceHandler } from '../subresources/subresource-hooks.ts';
import { forbidden, invalid, notSupported } from '../validation/field-errors.ts';
import { targetContainer } from './target-container.ts';

/** GET of pods/NAME/log. */
export function logHandler(kubelet: KubeletConnection): SubresourceHandler {
  return async ({ machinery, resource, info, request }) => {
    if (info.verb !== 'get') throw methodNotAllowed();
    const options = readOptions(request);
    const pod: Pod = storedObject(await findEntry(machinery, resource, info));
    const container = targetContainer(pod, request.query.get('container') ?? '');
    // A pod without a node has written nothing yet.
    if (!pod.spec?.nodeName) return textReply(200, '');
    return logReply(await kubelet.logs(pod, container, options));
  };
}

function logReply(log: Readable): ApiReply {
  return {
    type: 'stream',
    write: (response) => {
      response.setHeader('content-type', 'text/plain');
      response.writeHead(200);
      response.flushHeaders();
      log.on('error', () => response.destroy());
      response.on('close', () => log.destroy());
      log.pipe(response);
    },
  };
}

function readOptions({ query }: ApiRequest): LogOptions {
  const number = (name: string): number | undefined => {
    const text = query.get(name);
    return text === null || text === '' ? undefined : readInteger(text);
  };
  const flag = (name: string): boolean => query.has(name) && readBoolean(query.get(name) ?? '');
  const options = {
    follow: flag('follow'),
    previous: flag('previous'),
    timestamps: flag('timestamps'),
    sinceSeconds: number('sinceSeconds'),
    sinceTime: query.get('sinceTime') || undefined,
    tailLines: number('tailLines'),
    limitBytes: number('limitBytes'),
    stream: query.get('stream') || undefined,
  };
  const causes = validate(options);
  if (causes.length > 0) throw invalidObject({ group: '', kind: 'PodLogOptions' }, '', causes);
  const stream = options.stream === 'Stdout' || options.stream === 'Stderr' ? options.stream : undefined;
  return { ...options, stream };
}

function validate(options: Omit<LogOptions, 'stream'> & { readonly stream: string | undefined }): FieldCause[] {
  const { tailLines, limitBytes, sinceSeconds, sinceTime, stream } = options;
  const causes: FieldCause[] = [];
  if (tailLines !== undefined && tailLines < 0) {
    causes.push(invalid('tailLines', tailLines, 'must be greater than or equal to 0'));
  }
  if (limitBytes !== undefined && limitBytes < 1)
    causes.push(invalid('limitBytes', limitBytes, 'must be greater than 0'));
  if (sinceSeconds !== undefined && sinceTime !== undefined) {
    causes.push(forbidden('', 'at most one of `sinceTime` or `sinceSeconds` may be specified'));
  } else if (sinceSeconds !== undefined && sinceSeconds < 1) {
    causes.push(invalid('sinceSeconds', sinceSeconds, 'must be greater than 0'));
  }
  if (sinceTime !== undefined && Number.isNaN(Date.parse(sinceTime))) {
    causes.push(invalid('sinceTime', sinceTime, 'must be an RFC 3339 time'));
  }
  if (stream !== undefined && !['All', 'Stdout', 'Stderr'].includes(stream)) {
    causes.push(notSupported('stream', stream, ['All', 'Stderr', 'Stdout']));
  } else if (stream !== undefined && stream !== 'All' && tailLines !== undefined) {
    causes.push(forbidden('', '`tailLines` and specific `stream` are mutually exclusive for now'));
  }
  return causes;
}
