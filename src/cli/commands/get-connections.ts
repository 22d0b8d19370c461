import { findCluster } from '../../cluster/cluster.ts';
import type { ConnectionStatus } from '../../cluster/control/protocol.ts';
import { printAs } from '../print/output.ts';
import type { Output } from '../print/output-forms.ts';
import { printAge, printTable } from '../print/table.ts';

/** Lists the connections of nodes in userspace mode, the oldest of each Service first. */
export async function getConnections(options: {
  readonly name: string;
  readonly service?: string | undefined;
  readonly output: Output;
}): Promise<void> {
  const { service } = options;
  const all = await findCluster(options.name).connections();
  const wanted = all.filter((connection) => service === undefined || isOf(connection, service));
  const sorted = wanted.toSorted((a, b) => a.service.localeCompare(b.service) || b.ageSeconds - a.ageSeconds);
  process.stdout.write(`${printAs(options.output, sorted, () => table(sorted))}\n`);
}

const isOf = (connection: ConnectionStatus, service: string): boolean =>
  connection.service === service || connection.service.startsWith(`${service}:`);

function table(connections: readonly ConnectionStatus[]): string {
  if (connections.length === 0) return 'No connections found; only nodes with --proxy-mode userspace know theirs.';
  const rows = connections.map(({ node, protocol, service, client, endpoint, ageSeconds, bytesIn, bytesOut }) => [
    node,
    protocol.toUpperCase(),
    service,
    client,
    endpoint === '' ? '<connecting>' : endpoint,
    printAge(ageSeconds),
    String(bytesIn),
    String(bytesOut),
  ]);
  return printTable(['NODE', 'PROTOCOL', 'SERVICE', 'CLIENT', 'ENDPOINT', 'AGE', 'BYTES-IN', 'BYTES-OUT'], rows);
}
