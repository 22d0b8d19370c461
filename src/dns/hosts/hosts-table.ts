import { parseIp, printIp } from '../wire/ip.ts';
import { absoluteName, matchZone } from '../wire/name.ts';

/** The contents of a hosts file: names to addresses, `*.` names for one label, and back. */
export class HostsTable {
  readonly #addresses = new Map<string, string[]>();
  readonly #names = new Map<string, string[]>();

  /** Names outside `origins` are left out; lines without a valid address are skipped. */
  constructor(text: string, { origins, reverse }: { readonly origins: readonly string[]; readonly reverse: boolean }) {
    for (const line of text.split('\n')) {
      const [address = '', ...names] = line.split('#')[0]!.trim().split(/\s+/);
      const bytes = parseIp(address.split('%')[0]!);
      if (bytes === undefined) continue;
      for (const word of names) {
        const name = absoluteName(word).toLowerCase();
        if (matchZone(origins, name) === undefined) continue;
        push(this.#addresses, name, printIp(bytes));
        if (reverse && !name.startsWith('*.')) push(this.#names, printIp(bytes), name);
      }
    }
  }

  get size(): number {
    return [...this.#addresses.values(), ...this.#names.values()].reduce((sum, list) => sum + list.length, 0);
  }

  /** Addresses of both families under a lower-case absolute name. */
  addresses(name: string): readonly string[] {
    return this.#addresses.get(name) ?? this.#addresses.get(`*.${name.slice(name.indexOf('.') + 1)}`) ?? [];
  }

  /** Names of an address in canonical text. */
  names(address: string): readonly string[] {
    return this.#names.get(address) ?? [];
  }
}

function push(map: Map<string, string[]>, key: string, value: string): void {
  const list = map.get(key);
  if (list === undefined) map.set(key, [value]);
  else list.push(value);
}
