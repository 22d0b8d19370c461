import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { findProgram } from '../../helpers/find-program.ts';
import { runTowtank } from '../../helpers/run-towtank.ts';

const root = new URL('../../..', import.meta.url).pathname;
const folder = mkdtempSync(join(tmpdir(), 'tt-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const env = { TOWTANK_STATE_DIR: join(folder, 'state'), NO_COLOR: '1' };

const { engines } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { engines: { node: string } };
const version = engines.node.replace('>=', '');
const oldestNode = findProgram(`node-${version}`);

/** What `npm install towtank` unpacks, and beside it the packages that it depends on. */
function installPackage(): string {
  // The bundle is made by the launcher where it is older than the sources.
  expect(runTowtank(['--version'], env)).toMatchObject({ exitCode: 0 });
  const words = ['pack', '--silent', '--ignore-scripts', '--pack-destination', folder];
  execFileSync('npm', words, { cwd: root, env: { ...process.env, npm_config_cache: join(folder, 'npm') } });
  const archive = readdirSync(folder).find((name) => name.endsWith('.tgz'))!;
  execFileSync('tar', ['-xzf', archive], { cwd: folder });
  symlinkSync(join(root, 'node_modules'), join(folder, 'node_modules'));
  return join(folder, 'package/dist/cli.js');
}

describe.skipIf(oldestNode === undefined)(`the installed package [needs node-${version} on the PATH]`, () => {
  it(`shows a whole cluster under Node ${version}, the oldest that it names`, () => {
    const { status, stdout, stderr } = spawnSync(oldestNode!, [installPackage(), 'demo'], {
      encoding: 'utf8',
      env: { ...process.env, ...env },
    });
    expect(stderr).toBe('');
    expect(stdout).toContain('✓ a pod calls the Service by name');
    expect(stdout).toMatch(/✓ taken down in \d+ ms/);
    expect(status).toBe(0);
  });
});
