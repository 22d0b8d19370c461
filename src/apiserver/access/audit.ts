import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Clock } from '../../kube/clock.ts';
import type { RequestInfo } from '../http/request-info.ts';
import type { Caller } from '../machinery/strategy.ts';

/** One finished request, as audit.k8s.io/v1 Event at level Metadata. */
export type AuditEvent = Readonly<Record<string, unknown>>;

/** Takes audit events; called after the answer was sent. */
export type AuditSink = (event: AuditEvent) => void;

export interface AuditedRequest {
  readonly id: string;
  readonly receivedAt: number;
  readonly info: RequestInfo | undefined;
  readonly caller: Caller | undefined;
  readonly impersonated: Caller | undefined;
}

/** The event of a request whose answer is complete. */
export function auditEvent(
  request: AuditedRequest,
  raw: IncomingMessage,
  response: Pick<ServerResponse, 'statusCode'>,
  clock: Clock,
): AuditEvent {
  const { id, receivedAt, info, caller, impersonated } = request;
  return {
    kind: 'Event',
    apiVersion: 'audit.k8s.io/v1',
    level: 'Metadata',
    auditID: id,
    stage: 'ResponseComplete',
    requestURI: raw.url,
    verb: info?.verb ?? raw.method?.toLowerCase(),
    ...(caller ? { user: userOf(caller) } : {}),
    ...(impersonated ? { impersonatedUser: userOf(impersonated) } : {}),
    sourceIPs: [raw.socket.remoteAddress],
    userAgent: raw.headers['user-agent'],
    ...(info?.type === 'resource' ? { objectRef: objectReference(info) } : {}),
    responseStatus: { metadata: {}, code: response.statusCode },
    requestReceivedTimestamp: microTime(receivedAt),
    stageTimestamp: microTime(clock.now()),
  };
}

const userOf = ({ name, uid, groups, extra }: Caller) => ({ username: name, uid, groups, extra });

const microTime = (ms: number): string => new Date(ms).toISOString().replace('Z', '000Z');

function objectReference(info: Extract<RequestInfo, { type: 'resource' }>): object {
  const { group, version, resource, subresource, namespace, name } = info;
  return {
    resource,
    ...(namespace ? { namespace } : {}),
    ...(name ? { name } : {}),
    ...(group ? { apiGroup: group } : {}),
    apiVersion: version,
    ...(subresource ? { subresource } : {}),
  };
}
