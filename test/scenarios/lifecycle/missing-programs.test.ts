import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';

const stateRoot = mkdtempSync(join(tmpdir(), 'tt-'));
afterAll(() => rmSync(stateRoot, { recursive: true, force: true }));

const library = new URL('../../../src/index.ts', import.meta.url).href;
const start = (proxyMode: string): string => `
import { createCluster } from ${JSON.stringify(library)};
try {
  await createCluster({ name: 'bare', proxyMode: '${proxyMode}', stateRoot: ${JSON.stringify(stateRoot)} });
} catch ({ code, message, hint }) {
  console.log(JSON.stringify({ code, message, hint }));
}`;

// In a mount namespace of its own the machine has none of the administrator's programs.
function startWithoutPrograms(proxyMode: string): unknown {
  const script = `mount --make-rprivate / && mount -t tmpfs tmpfs /usr/sbin && exec "$0" --input-type=module -e "$1"`;
  const user = process.getuid?.() === 0 ? [] : ['--user', '--map-root-user'];
  const args = [...user, '--mount', 'sh', '-c', script, process.execPath, start(proxyMode)];
  const { stdout, stderr } = spawnSync('unshare', args, { encoding: 'utf8' });
  expect(stderr).toBe('');
  return JSON.parse(stdout);
}

it.each([
  { proxyMode: 'iptables', program: 'iptables-restore', package: 'iptables' },
  { proxyMode: 'nftables', program: 'nft', package: 'nftables' },
])('a cluster whose proxies lack $program says so before anything is built', ({ proxyMode, ...wanted }) => {
  expect(startWithoutPrograms(proxyMode)).toEqual({
    code: 'ERR_MISSING_PROGRAM',
    message: expect.stringContaining(wanted.program),
    hint: expect.stringContaining(`install ${wanted.package};`),
  });
  expect(existsSync(join(stateRoot, 'clusters/bare'))).toBe(false);
});
