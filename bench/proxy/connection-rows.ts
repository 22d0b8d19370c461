// New connections from a pod through Services and past them.
import { PacketLab } from '../../test/helpers/packet-lab.ts';
import { measureConnections } from './connections.ts';
import { clusterIP, ipsOf, type Size } from './objects.ts';
import { type Row, shown } from './statistics.ts';

const DIRECT = '10.250.250.250';

const placesOf = ({ services }: Size) =>
  [
    ['first', 0],
    ['middle', services / 2],
    ['last', services - 1],
  ] as const;

/** A node, a pod on it, and real backends for three of its Services and for a direct connection. */
export function connectionLab(size: Size): Promise<PacketLab> {
  const backends = [DIRECT, ...placesOf(size).flatMap(([, at]) => ipsOf(size, at))].map((ip) => `${ip}:9999`);
  const addresses = { nodeAddresses: ['172.18.0.2'], pods: ['10.250.0.1'], outside: ['192.0.2.7'] };
  return PacketLab.create('node', { family: 'ipv4', backends, ...addresses });
}

/** Measures on a node whose rules are written; `atMost` is what a connection may take beside a direct one. */
export function connectionRows(lab: PacketLab, size: Size, atMost: number): Row[] {
  const places = placesOf(size);
  const times = measureConnections(lab, [
    { name: 'direct', host: DIRECT, port: 8080 },
    ...places.map(([name, at]) => ({ name, host: clusterIP(at), port: 80 })),
  ]);
  const base = times.get('direct')!;
  return places.map(([name]) => {
    const time = times.get(name)!;
    return {
      what: `new connection and its answer through the ${name} Service`,
      size: `${size.services} x ${size.endpoints}`,
      ours: `${shown(time, 'us')}, direct ${shown(base, 'us')} (${(time / base).toFixed(2)})`,
      theirs: '-',
      wanted: `at most ${atMost} of direct`,
      holds: time / base <= atMost,
    };
  });
}
