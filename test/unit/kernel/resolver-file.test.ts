import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { pointResolver, printClusterResolver, restoreResolver } from '../../../src/kernel/resolver-file.ts';

const folder = mkdtempSync(join(tmpdir(), 'towtank-resolver-'));
afterAll(() => rmSync(folder, { recursive: true }));
const cluster = { nameservers: ['10.96.0.10'], search: ['default.svc.cluster.local', 'cluster.local'] };

describe("a container's resolver file", () => {
  it('asks cluster DNS first, and the servers of before for what that refuses', () => {
    const text = printClusterResolver(cluster, 'search lan\nnameserver 127.0.0.11\noptions ndots:0\n');
    const lines = text.split('\n').filter((line) => !line.startsWith('#') && line !== '');
    expect(lines).toEqual([
      'search default.svc.cluster.local cluster.local lan',
      'nameserver 10.96.0.10',
      'nameserver 127.0.0.11',
      'options ndots:5',
    ]);
  });

  it('names no more than three servers, as glibc asks no more', () => {
    const before = 'nameserver 1.1.1.1\nnameserver 2.2.2.2\nnameserver 3.3.3.3\n';
    expect(printClusterResolver(cluster, before).match(/^nameserver /gm)).toHaveLength(3);
  });

  it('is brought back as it was, also by another process and after having been written twice', () => {
    const path = join(folder, 'resolv.conf');
    const before = '# made by hand\nsearch lan\nnameserver 127.0.0.11\n';
    writeFileSync(path, before);
    pointResolver(cluster, path);
    pointResolver(cluster, path);
    expect(readFileSync(path, 'utf8')).toContain('nameserver 10.96.0.10');
    restoreResolver(path);
    expect(readFileSync(path, 'utf8')).toBe(before);
    restoreResolver(path);
    expect(readFileSync(path, 'utf8')).toBe(before);
  });
});
