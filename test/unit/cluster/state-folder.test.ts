import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { findCluster } from '../../../src/cluster/cluster.ts';
import { type ClusterPaths, clusterPaths, findRunning } from '../../../src/cluster/state-folder.ts';

let root: string;
let paths: ClusterPaths;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'towtank-test-'));
  paths = clusterPaths('lost', root);
  mkdirSync(paths.folder, { recursive: true });
  // No process ever started at that moment.
  writeFileSync(paths.record, JSON.stringify({ name: 'lost', innerPid: process.pid, innerStartTime: -1 }));
  writeFileSync(paths.log, 'uncaught exception: Error: why');
  writeFileSync(paths.kubeconfig, '{}');
});
afterEach(() => rmSync(root, { recursive: true }));

it('of a cluster that ended without being told to the store stays, and the log that says why', () => {
  mkdirSync(paths.store);
  expect(findRunning('lost', root)).toBeUndefined();
  expect(readdirSync(paths.folder).sort()).toEqual(['store', 'supervisor.log']);
  expect(() => findCluster('lost', root)).toThrow(
    expect.objectContaining({ hint: expect.stringContaining(`its log is ${paths.log}`) }),
  );
});

it('of one that kept nothing nothing stays', () => {
  expect(findRunning('lost', root)).toBeUndefined();
  expect(existsSync(paths.folder)).toBe(false);
});
