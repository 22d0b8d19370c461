import { rolldown } from 'rolldown';

/**
 * Bundles programs as they are installed, since Node's translation of TypeScript takes memory of its own. `input` has their files by
 * name; resolves with the folder in which each lies as NAME.js.
 */
export async function bundlePrograms(name: string, input: Readonly<Record<string, string>>): Promise<string> {
  const root = new URL('..', import.meta.url).pathname;
  const bundle = await rolldown({ cwd: root, input, platform: 'node', external: ['koffi'], logLevel: 'silent' });
  // Beside node_modules, where koffi is found.
  const dir = `${root}node_modules/.cache/towtank-bench-${name}`;
  await bundle.write({ dir, format: 'esm', entryFileNames: '[name].js', chunkFileNames: '[name]-[hash].js' });
  await bundle.close();
  return dir;
}
