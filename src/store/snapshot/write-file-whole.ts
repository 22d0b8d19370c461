import { open, rename, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import { UserError } from '../../errors/towtank-error.ts';

/**
 * Writes a file whole or not at all, and resolves with its size when it is on the disk: what stood there before stays until
 * then. Rejects with ERR_SNAPSHOT when the disk refuses, with the source's own error when that fails.
 */
export async function writeFileWhole(path: string, chunks: AsyncIterable<Uint8Array>): Promise<number> {
  const partial = `${path}.partial-${process.pid}`;
  let size = 0;
  try {
    await using file = await open(partial, 'wx', 0o600);
    for await (const chunk of chunks) {
      await file.writeFile(chunk);
      size += chunk.length;
    }
    await file.sync();
    await rename(partial, path);
  } catch (error) {
    await rm(partial, { force: true });
    throw writeProblem(path, error as NodeJS.ErrnoException);
  }
  await using folder = await open(dirname(path), 'r');
  await folder.sync();
  return size;
}

function writeProblem(path: string, error: NodeJS.ErrnoException): Error {
  if (error.syscall === undefined) return error;
  return new UserError({
    code: 'ERR_SNAPSHOT',
    message: `cannot write ${path}: ${error.message}`,
    hint:
      error.code === 'ENOSPC' ? 'Free some space, or choose another disk.' : 'Does the folder exist, and is it yours?',
    cause: error,
  });
}
