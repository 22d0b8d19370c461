import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { completeClusterConfig } from '../../../src/cluster/config/parse-cluster-config.ts';
import { continueKept, readKept, writeKept } from '../../../src/cluster/kept-cluster.ts';

let store: string;
beforeEach(() => {
  store = mkdtempSync(join(tmpdir(), 'towtank-kept-'));
});
afterEach(() => rmSync(store, { recursive: true }));

const requested = completeClusterConfig({ spec: { nodes: 2 } });
const carriedOut = { ...requested, dns: { ...requested.dns, replicas: 1 } };

describe('what is kept of a cluster', () => {
  it('is how it was asked for and how it was carried out', () => {
    expect(readKept({ store })).toBeUndefined();
    writeKept({ store }, { requested, config: carriedOut });
    const kept = readKept({ store });
    expect(continueKept(requested, kept)).toEqual(JSON.parse(JSON.stringify(carriedOut)));
  });

  it('may get another port of the API, and nothing else', () => {
    const kept = { requested, config: carriedOut };
    expect(continueKept({ ...requested, api: { port: 7000 } }, kept).api).toEqual({ port: 7000 });
    const other = completeClusterConfig({ spec: { nodes: 3, network: { cni: 'bridge' } } });
    expect(() => continueKept(other, kept)).toThrow(
      expect.objectContaining({
        code: 'ERR_CLUSTER_KEPT',
        message: 'cluster towtank is kept with another configuration (nodes, network)',
      }),
    );
  });

  it('is refused when it cannot be read', () => {
    writeFileSync(join(store, 'kept.json'), '{');
    expect(() => readKept({ store })).toThrow(expect.objectContaining({ code: 'ERR_STATE_DIR' }));
  });
});
