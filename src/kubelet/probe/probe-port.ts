import type { Container, EphemeralContainer } from '../../kube/generated/types.ts';

/** The number of a probe's or hook's port, which may be the name of one of the container's ports; undefined when there is none. */
export function probePort(port: number | string, container: Container | EphemeralContainer): number | undefined {
  const named = container.ports?.find(({ name }) => name === port)?.containerPort;
  const number = named ?? Number(port);
  return Number.isInteger(number) && number > 0 && number < 65536 ? number : undefined;
}
