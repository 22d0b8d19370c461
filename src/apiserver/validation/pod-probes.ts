import type { HTTPGetAction, Probe } from '../../kube/generated/types.ts';
import type { FieldCause } from '../schema/contract.ts';
import { forbidden, invalid, invalidEach, notSupported, required } from './field-errors.ts';
import { httpHeaderName, portName, portNumber } from './names.ts';

const SCHEMES = ['HTTP', 'HTTPS'];
const NOT_NEGATIVE = 'must be greater than or equal to 0';

/** What is wrong with a probe. */
export function validateProbe(probe: Probe | undefined, path: string): FieldCause[] {
  if (!probe) return [];
  const causes = validateHandlers(probe, path);
  const { initialDelaySeconds, timeoutSeconds, periodSeconds, successThreshold, failureThreshold } = probe;
  const numbers = { initialDelaySeconds, timeoutSeconds, periodSeconds, successThreshold, failureThreshold };
  for (const [name, value] of Object.entries(numbers)) {
    if (value !== undefined && value < 0) causes.push(invalid(`${path}.${name}`, value, NOT_NEGATIVE));
  }
  const { terminationGracePeriodSeconds: grace } = probe;
  if (grace !== undefined && grace <= 0)
    causes.push(invalid(`${path}.terminationGracePeriodSeconds`, grace, 'must be greater than 0'));
  return causes;
}

/** The same for a probe that can only be lost: one success is enough. */
export function validateLastingProbe(probe: Probe | undefined, path: string): FieldCause[] {
  const threshold = probe?.successThreshold;
  const causes = validateProbe(probe, path);
  if (threshold !== undefined && threshold !== 1)
    causes.push(invalid(`${path}.successThreshold`, threshold, 'must be 1'));
  return causes;
}

function validateHandlers({ exec, httpGet, tcpSocket, grpc }: Probe, path: string): FieldCause[] {
  const checks: readonly (readonly [name: string, check: (() => FieldCause[]) | undefined])[] = [
    ['exec', exec && (() => (exec.command?.length ? [] : [required(`${path}.exec.command`)]))],
    ['httpGet', httpGet && (() => validateHttpGet(httpGet, `${path}.httpGet`))],
    ['tcpSocket', tcpSocket && (() => validatePort(tcpSocket.port, `${path}.tcpSocket.port`))],
    ['grpc', grpc && (() => invalidEach(`${path}.grpc.port`, grpc.port, portNumber(grpc.port)))],
  ];
  const given = checks.filter(([, check]) => check !== undefined);
  if (given.length === 0) return [required(path, 'must specify a handler type')];
  return given.flatMap(([name, check], index) =>
    index === 0 ? check!() : [forbidden(`${path}.${name}`, 'may not specify more than 1 handler type')],
  );
}

function validateHttpGet({ path: target, port, scheme, httpHeaders = [] }: HTTPGetAction, path: string): FieldCause[] {
  const causes = target ? [] : [required(`${path}.path`)];
  causes.push(...validatePort(port, `${path}.port`));
  if (!SCHEMES.includes(scheme ?? 'HTTP')) causes.push(notSupported(`${path}.scheme`, scheme, SCHEMES));
  for (const { name } of httpHeaders) causes.push(...invalidEach(`${path}.httpHeaders`, name, httpHeaderName(name)));
  return causes;
}

/** A port by number or name. */
export function validatePort(port: number | string | undefined, path: string): FieldCause[] {
  if (typeof port === 'string') return invalidEach(path, port, portName(port));
  return invalidEach(path, port ?? 0, portNumber(port));
}
