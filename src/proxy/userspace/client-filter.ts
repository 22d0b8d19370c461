import { type Prefix, parsePrefix, prefixContains } from '../../netfilter/address.ts';
import type { ListenerPolicy } from './listener.ts';

/** Tells whether a client may come, by its address; undefined where everybody may. */
export type ClientFilter = ((address: string) => boolean) | undefined;

/** The filter of a policy. */
export function clientFilter({ sources }: ListenerPolicy): ClientFilter {
  if (sources === undefined) return undefined;
  const prefixes = sources.map(parsePrefix).filter((prefix): prefix is Prefix => prefix !== undefined);
  return (address) => prefixes.some((prefix) => prefixContains(prefix, address));
}
