// Bundles src into dist: a start reads ten files instead of six hundred, and Node does not run TypeScript of installed packages.
// All files lie beside each other, so that a module finds the others by its own URL. Types are written by `npm run build`.
import { rmSync, writeFileSync } from 'node:fs';
import { rolldown } from 'rolldown';

const root = new URL('..', import.meta.url).pathname;
const bundle = await rolldown({
  cwd: root,
  input: {
    cli: 'src/cli/main.ts',
    index: 'src/index.ts',
    supervisor: 'src/cluster/supervisor.ts',
    'writer-thread': 'src/store/sqlite/writer-thread.ts',
    'kernel-thread': 'src/kernel/thread/kernel-thread.ts',
    inside: 'src/kernel/doctor/inside.ts',
    'engine-thread': 'src/proxy/userspace/engine/engine-thread.ts',
  },
  platform: 'node',
  // Brings its own binary.
  external: ['koffi'],
  // The sources are written for Node 24; installed packages run on Node 22 too, which has neither `using` nor disposable stacks.
  transform: {
    target: 'node22.19',
    inject: {
      AsyncDisposableStack: ['@whatwg-node/disposablestack', 'AsyncDisposableStack'],
      DisposableStack: ['@whatwg-node/disposablestack', 'DisposableStack'],
    },
  },
  logLevel: 'silent',
});
rmSync(`${root}/dist`, { recursive: true, force: true });
await bundle.write({
  dir: `${root}/dist`,
  format: 'esm',
  entryFileNames: '[name].js',
  chunkFileNames: '[name]-[hash].js',
});
await bundle.close();
// The launcher builds anew when a source is newer than this.
writeFileSync(`${root}/dist/.built`, '');
