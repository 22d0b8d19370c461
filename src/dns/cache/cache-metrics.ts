import type { Cell } from '../metrics/registry.ts';
import type { PluginEnvironment } from '../plugins/plugin.ts';
import type { CacheItem } from './cache-item.ts';

type Half = 'success' | 'denial';

/** The cache plugin's metrics under CoreDNS's names. */
export class CacheMetrics {
  readonly #count: (name: string, help: string, half?: Half) => Cell;
  readonly #gauge: (half: Half) => Cell;

  constructor({ metrics, serverLabel }: PluginEnvironment, zones: readonly string[]) {
    const tail = [zones.join(','), ''];
    this.#count = (name, help, half) => {
      const labels = half === undefined ? ['server', 'zones', 'view'] : ['server', 'type', 'zones', 'view'];
      const values = half === undefined ? [serverLabel, ...tail] : [serverLabel, half, ...tail];
      return metrics.counter(`coredns_cache_${name}`, help, labels).with(...values);
    };
    this.#gauge = (half) =>
      metrics
        .gauge('coredns_cache_entries', 'The number of elements in the cache.', ['server', 'type', 'zones', 'view'])
        .with(serverLabel, half, ...tail);
  }

  request(): void {
    this.#count('requests_total', 'The count of cache requests.').value++;
  }

  /** Counts the hit and hands the item through. */
  hit(half: Half, item: CacheItem): CacheItem {
    this.#count('hits_total', 'The count of cache hits.', half).value++;
    return item;
  }

  miss(): void {
    const help = 'The count of cache misses. Deprecated, derive misses from cache hits/requests counters.';
    this.#count('misses_total', help).value++;
  }

  stale(): void {
    this.#count('served_stale_total', 'The number of requests served from stale cache entries.').value++;
  }

  prefetch(): void {
    this.#count('prefetch_total', 'The number of times the cache has prefetched a cached item.').value++;
  }

  eviction(half: Half): void {
    this.#count('evictions_total', 'The count of cache evictions.', half).value++;
  }

  entries(success: number, denial: number): void {
    this.#gauge('success').value = success;
    this.#gauge('denial').value = denial;
  }
}
