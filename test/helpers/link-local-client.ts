import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { text } from 'node:stream/consumers';
import type { NetworkNamespace } from '../../src/kernel/network-namespace.ts';

/** An address that means something on one link only, whose number no link of the process's own namespace has. */
export const LINK_LOCAL = { address: 'fe80::7', link: 'far1', index: 4711 } as const;

/** Gives a namespace a link with that address. */
export function addLinkLocal(netns: NetworkNamespace): void {
  const { address, link, index } = LINK_LOCAL;
  for (const words of [
    `link add ${link} index ${index} type veth peer name far2`,
    `link set ${link} up`,
    'link set far2 up',
    `address add ${address}/64 dev ${link} nodad`,
  ])
    netns.run(() => execFileSync('ip', words.split(' ')));
}

/** Sends a line from that address to itself, over TCP, and resolves with what came back until the other side ended. */
export async function askFromLinkLocal(netns: NetworkNamespace, port: number, line: string): Promise<string> {
  const { address, link } = LINK_LOCAL;
  const script = `const socket = require('net').connect(${port}, '${address}%${link}');
    socket.on('error', (error) => console.log(error.code)).pipe(process.stdout);
    socket.write(${JSON.stringify(`${line}\n`)});`;
  const client = netns.run(() => spawn(process.execPath, ['-e', script], { stdio: ['ignore', 'pipe', 'inherit'] }));
  const [answer] = await Promise.all([text(client.stdout), once(client, 'exit')]);
  return answer;
}
