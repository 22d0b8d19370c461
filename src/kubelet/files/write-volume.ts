import { chmod, mkdir, mkdtemp, readdir, readlink, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { dirname, join, normalize } from 'node:path/posix';

/** One file to be written, its path relative to the volume. */
export interface ContentFile {
  readonly path: string;
  readonly mode: number;
  readonly content: Buffer | string;
}

const DATA = '..data';

/**
 * Writes all files of a volume at once, as the kubelet's atomic writer: they stand in a folder of their own, `..data`
 * points at it and the visible names point through `..data`, so that a reader never sees half of an update.
 */
export async function writeVolume(directory: string, files: readonly ContentFile[]): Promise<void> {
  await mkdir(directory, { recursive: true, mode: 0o755 });
  // Not joined: this is the beginning of a name, not the parent folder.
  const fresh = await mkdtemp(`${directory}/..`);
  await chmod(fresh, 0o755);
  for (const { path, mode, content } of files) {
    const target = join(fresh, safePath(path));
    await mkdir(dirname(target), { recursive: true });
    await writeFile(target, content);
    await chmod(target, mode);
  }
  const previous = await readlink(join(directory, DATA)).catch(() => undefined);
  await symlink(fresh.slice(directory.length + 1), join(directory, `${DATA}_tmp`));
  await rename(join(directory, `${DATA}_tmp`), join(directory, DATA));
  await linkNames(directory, new Set(files.map(({ path }) => safePath(path).split('/')[0] ?? '')));
  if (previous !== undefined) await rm(join(directory, previous), { recursive: true, force: true });
}

async function linkNames(directory: string, names: ReadonlySet<string>): Promise<void> {
  const present = new Set((await readdir(directory)).filter((name) => !name.startsWith('..')));
  for (const name of names) if (!present.has(name)) await symlink(join(DATA, name), join(directory, name));
  for (const name of present) if (!names.has(name)) await rm(join(directory, name), { force: true });
}

// The API server refuses such paths; a file outside of the volume must not depend on that.
function safePath(path: string): string {
  const clean = normalize(path);
  if (clean.startsWith('/') || clean === '..' || clean.startsWith('../')) {
    throw new Error(`path "${path}" leaves its volume`);
  }
  return clean;
}
