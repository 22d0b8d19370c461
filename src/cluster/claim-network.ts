import { createServer } from 'node:net';
import { UserError } from '../errors/towtank-error.ts';

// An abstract name: it belongs to the network namespace, and is free again when its owner has ended, however it did.
const name = '\0towtank';

/** Makes this process's cluster the only one of its network namespace. Rejects with ERR_CLUSTER_EXISTS when there is another. */
export async function claimNetwork(): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const server = createServer((socket) => socket.destroy());
  server.once('error', reject);
  server.listen(name, resolve);
  server.unref();
  try {
    await promise;
  } catch (cause) {
    throw new UserError({
      code: 'ERR_CLUSTER_EXISTS',
      message: 'another cluster uses this network namespace already, and this tier has room for one',
      hint: 'take it down with: towtank down --all',
      cause,
    });
  }
}
