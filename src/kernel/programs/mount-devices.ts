import { chmodSync, existsSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { MS_NOSUID } from '../ffi/constants.ts';
import { systemCall } from '../ffi/system-calls.ts';
import { bindMount } from './bind-mount.ts';

const nodes = ['null', 'zero', 'full', 'random', 'urandom', 'tty', 'ptmx', 'net/tun'];
const links = { fd: '/proc/self/fd', stdin: '/proc/self/fd/0', stdout: '/proc/self/fd/1', stderr: '/proc/self/fd/2' };

/** Makes a /dev as containers have it: the few devices that programs need, terminals, and shared memory of its own. */
export function mountDevices(directory: string): void {
  systemCall('mount', ['tmpfs', directory, 'tmpfs', MS_NOSUID, 'mode=755'], { subject: directory });
  for (const node of nodes) if (existsSync(join('/dev', node))) showDevice(directory, node);
  for (const [name, target] of Object.entries(links)) symlinkSync(target, join(directory, name));
  mkdirSync(join(directory, 'shm'));
  chmodSync(join(directory, 'shm'), 0o1777);
  if (!existsSync('/dev/pts')) return;
  mkdirSync(join(directory, 'pts'));
  bindMount({ source: '/dev/pts', target: join(directory, 'pts') });
}

function showDevice(directory: string, node: string): void {
  const target = join(directory, node);
  mkdirSync(join(target, '..'), { recursive: true });
  writeFileSync(target, '');
  bindMount({ source: join('/dev', node), target });
}
