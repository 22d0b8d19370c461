import { once } from 'node:events';
import { get } from 'node:https';
import type { ServerFacts } from './bench-server.ts';

/** A watch of ConfigMaps over TLS: tells of each event by the number that its object's name ends with. */
export async function openWatch(
  { url, ca, token }: ServerFacts,
  resourceVersion: string,
  onEvent: (number: number) => void,
): Promise<Disposable> {
  const path = `/api/v1/namespaces/default/configmaps?watch=1&resourceVersion=${resourceVersion}`;
  const request = get(`${url}${path}`, { ca, headers: { authorization: `Bearer ${token}` }, agent: false });
  const [response] = await once(request, 'response');
  let rest = '';
  response.on('data', (chunk: Buffer) => {
    const lines = (rest + chunk.toString('latin1')).split('\n');
    rest = lines.pop()!;
    for (const line of lines) onEvent(Number(/"name":"bench-(\d+)"/.exec(line)?.[1]));
  });
  request.on('error', () => {});
  return { [Symbol.dispose]: () => void request.destroy() };
}
