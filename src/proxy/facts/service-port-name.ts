import type { Protocol } from './protocol.ts';

interface NamespacedName {
  readonly namespace: string;
  readonly name: string;
}

/** `namespace/name:port/TCP`, the key of a ServicePort and of its endpoints; an unnamed port leaves `name:/TCP`. */
export function servicePortKey(service: NamespacedName, portName: string, protocol: Protocol): string {
  return `${service.namespace}/${service.name}:${portName}/${protocol.toUpperCase()}`;
}

/** `namespace/name:port`, or `namespace/name` for an unnamed port: kube-proxy's text form. */
export function servicePortText(service: NamespacedName, portName: string): string {
  const name = `${service.namespace}/${service.name}`;
  return portName === '' ? name : `${name}:${portName}`;
}

/** `namespace/name` of a key made by servicePortKey. */
export function serviceOfKey(key: string): string {
  return key.slice(0, key.indexOf(':'));
}
