import { once } from 'node:events';
import { connect } from 'node:tls';
import type { ServerFacts } from './bench-server.ts';

const NAME = Buffer.from('"name":"bench-');
// Every event ends a line and a chunk, and has its name somewhere before.
const END = Buffer.from('}\n\r\n');

/**
 * A watch of ConfigMaps over TLS: tells of each event by the number that its object's name ends with. It reads no more than that,
 * for a thousand of them share the machine with the server.
 */
export async function openWatch(
  { url, ca, token }: ServerFacts,
  resourceVersion: string,
  onEvent: (number: number) => void,
): Promise<Disposable> {
  const { hostname: host, port } = new URL(url);
  const socket = connect({ host, port: Number(port), ca });
  await once(socket, 'secureConnect');
  const path = `/api/v1/namespaces/default/configmaps?watch=1&resourceVersion=${resourceVersion}`;
  socket.write(`GET ${path} HTTP/1.1\r\nHost: ${host}\r\nAuthorization: Bearer ${token}\r\n\r\n`);
  const [head] = (await once(socket, 'data')) as [Buffer];
  if (!head.includes(' 200 ')) throw new Error(`the watch is refused: ${head.toString()}`);
  let rest: Buffer | undefined;
  socket.on('data', (chunk: Buffer) => {
    const bytes = rest ? Buffer.concat([rest, chunk]) : chunk;
    let at = 0;
    for (let end = bytes.indexOf(END); end !== -1; end = bytes.indexOf(END, at)) {
      const name = bytes.indexOf(NAME, at);
      if (name !== -1 && name < end)
        onEvent(Number.parseInt(bytes.toString('latin1', name + NAME.length, name + 24), 10));
      at = end + END.length;
    }
    rest = at < bytes.length ? bytes.subarray(at) : undefined;
  });
  socket.on('error', () => {});
  return { [Symbol.dispose]: () => void socket.destroy() };
}
