import { accessSync, constants } from 'node:fs';
import { isMachineNetwork } from '../machine-network.ts';
import { inContainer } from '../sandbox/launch-failure.ts';
import { firstPort } from './first-port.ts';

const DNS_PORT = 53;

/** Why the programs of this machine cannot be told to ask cluster DNS of a loopback cluster; undefined when they can. */
export function resolverObstacle(path = '/etc/resolv.conf'): string | undefined {
  if (!inContainer() || isMachineNetwork()) return `${path} is the machine's own`;
  if (firstPort() > DNS_PORT) return `resolvers ask port ${DNS_PORT}, which may not be opened`;
  try {
    accessSync(path, constants.W_OK);
    return undefined;
  } catch {
    return `${path} may not be written by this user`;
  }
}
