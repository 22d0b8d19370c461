import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { NetworkNamespace } from '../../../src/kernel/network-namespace.ts';
import { runProgram } from '../../../src/kernel/programs/run-program.ts';
import { ProgramHome } from '../../../src/kernel/programs.ts';
import { leakCheck } from '../../helpers/leak-check.ts';

let folder = '';

beforeAll(() => {
  NetworkNamespace.current();
  mkdirSync('/run/towtank-test', { recursive: true });
  folder = mkdtempSync('/run/towtank-test/root-');
  mkdirSync(join(folder, 'volume'));
  writeFileSync(join(folder, 'volume', 'greeting'), 'hello');
  writeFileSync(join(folder, 'hosts'), '10.0.0.1 web\n');
});

afterAll(() => rmSync(folder, { recursive: true, force: true }));

function createHome(targets: readonly string[], folders: readonly string[] = []): ProgramHome {
  const source = join(folder, 'volume');
  return ProgramHome.create({
    hostname: 'web',
    files: { '/etc/hosts': join(folder, 'hosts') },
    mounts: targets.map((target) => ({ source, target, readOnly: target.endsWith('-ro') })),
    folders,
    layer: mkdtempSync(join(folder, 'layer-')),
    proc: true,
  });
}

async function shell(home: ProgramHome, script: string): Promise<string> {
  const { stdout, stderr } = await runProgram({ home, command: ['sh', '-c', script] });
  return stdout + stderr;
}

describe('a program with a layer over the root file system', () => {
  test('finds its volumes where the host has nothing, and the host still has nothing there', async () => {
    await using _ = leakCheck();
    const targets = [
      '/towtank-data/deep',
      '/usr/share/towtank/html',
      '/var/run/secrets/towtank',
      '/tmp/towtank-volume/x',
    ];
    using home = createHome(targets);
    for (const target of targets) expect(await shell(home, `cat ${target}/greeting`)).toBe('hello');
    for (const target of ['/towtank-data', '/usr/share/towtank', '/tmp/towtank-volume'])
      expect(existsSync(target)).toBe(false);
  });

  test('sees its own files, host name and processes, and no namespace of others', async () => {
    using home = createHome([]);
    expect(await shell(home, 'cat /etc/hosts; hostname; echo $$; ls /run/netns 2>/dev/null | wc -l')).toBe(
      '10.0.0.1 web\nweb\n1\n0\n',
    );
  });

  test('cannot write to a read-only volume', async () => {
    using home = createHome(['/towtank-ro']);
    expect(await shell(home, 'touch /towtank-ro/file; echo $?')).toMatch(/^1\n|Read-only file system/);
    expect(existsSync(join(folder, 'volume', 'file'))).toBe(false);
  });

  test('leaves for the next program what it wrote, and nothing for the host', async () => {
    using home = createHome([]);
    await shell(home, 'mkdir /towtank-made && echo mine > /towtank-made/file');
    expect(await shell(home, 'cat /towtank-made/file')).toBe('mine\n');
    expect(existsSync('/towtank-made')).toBe(false);
  });

  test('has the folders that it asks for', async () => {
    using home = createHome([], ['/towtank-app', '/usr/share/towtank/app', '/var/run/towtank-app']);
    expect(await shell(home, 'cd /towtank-app && cd /usr/share/towtank/app && cd /var/run/towtank-app && pwd')).toBe(
      '/var/run/towtank-app\n',
    );
    expect(existsSync('/towtank-app') || existsSync('/usr/share/towtank')).toBe(false);
  });

  test('shares /tmp with the host', async () => {
    using home = createHome([]);
    const exchanged = mkdtempSync('/tmp/towtank-exchange-');
    await shell(home, `echo from-inside > ${exchanged}/file`);
    expect(readFileSync(join(exchanged, 'file'), 'utf8')).toBe('from-inside\n');
    rmSync(exchanged, { recursive: true });
  });

  test('has the devices that programs need and no disks', async () => {
    using home = createHome([]);
    const listed = await shell(home, 'for f in /dev/* /dev/net/*; do test -c $f -o -b $f && echo $f; done');
    const devices = listed.trim().split('\n');
    expect(devices).toEqual(expect.arrayContaining(['/dev/null', '/dev/urandom', '/dev/zero']));
    expect(devices.filter((name) => /sd|vd|nvme|mem|kmsg/.test(name))).toEqual([]);
  });
});
