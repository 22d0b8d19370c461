import { open, realpath } from 'node:fs/promises';
import type { ServerResponse } from 'node:http';
import { extname, join } from 'node:path/posix';
import { pipeline } from 'node:stream/promises';
import type { HttpRequest } from '../serving/serve-http.ts';

const TYPES: Readonly<Record<string, string>> = {
  '.html': 'text/html',
  '.htm': 'text/html',
  '.css': 'text/css',
  '.js': 'application/javascript',
  '.json': 'application/json',
  '.txt': 'text/plain',
  '.svg': 'image/svg+xml',
  '.png': 'image/png',
  '.jpg': 'image/jpeg',
};

/** Sends a file of a folder, `index.html` for a folder in it; false when there is none, and nothing was sent. */
export async function sendFile(
  root: string,
  { path, method }: HttpRequest,
  response: ServerResponse,
): Promise<boolean> {
  const wanted = join('/', path);
  const file = await findFile(root, wanted.endsWith('/') ? `${wanted}index.html` : wanted);
  if (file === undefined) return false;
  await using handle = await open(file, 'r');
  const { size, mtime } = await handle.stat();
  response.writeHead(200, {
    'content-type': TYPES[extname(file)] ?? 'application/octet-stream',
    'content-length': size,
    'last-modified': mtime.toUTCString(),
  });
  if (method === 'HEAD') response.end();
  else await pipeline(handle.createReadStream({ autoClose: false }), response);
  return true;
}

// Volumes are full of links, but none may lead out of the folder that is served.
async function findFile(root: string, path: string): Promise<string | undefined> {
  const [base, file] = await Promise.all([realpath(root), realpath(join(root, path)).catch(() => undefined)]);
  if (file === undefined || !file.startsWith(`${base}/`)) return undefined;
  await using handle = await open(file, 'r');
  const stat = await handle.stat();
  if (stat.isDirectory()) return findFile(root, join(path, 'index.html'));
  return stat.isFile() ? file : undefined;
}
