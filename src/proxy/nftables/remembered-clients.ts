import type { NamedSet, Table } from '../../netfilter/nftables/table.ts';
import type { TableWriter } from './table-writer.ts';

/** The table with the clients in its affinity sets that the present one remembers, so that a rewrite forgets nobody. */
export async function withRememberedClients(table: Table, writer: TableWriter): Promise<Table> {
  const sets = new Map<string, NamedSet>(table.sets);
  for (const set of table.sets.values()) {
    if (!set.flags.includes('dynamic')) continue;
    const clients = await writer.remembered(set.name);
    const elements = clients.map(({ address, expiresSeconds }) => ({
      key: address,
      expiresSeconds: Math.min(expiresSeconds, set.timeoutSeconds ?? expiresSeconds),
    }));
    sets.set(set.name, { ...set, elements: new Map(elements.map((element) => [element.key, element])) });
  }
  return { ...table, sets };
}
