import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { defineConfig } from 'vitest/config';

// Six suites, from the quickest (unit: under 10 s on two cores) to the one that runs whole clusters. `kernel` needs the
// privileges that scripts/test.ts gives it (an own user, mount, pid and network namespace); see CONTRIBUTING.md.
const suite = (name: string, seconds: number) => ({
  extends: true as const,
  test: {
    name,
    include: [`test/${name}/**/*.test.ts`],
    testTimeout: seconds * 1000,
    hookTimeout: seconds * 1000,
    ...(name === 'unit' ? pure : real),
  },
});

// Pure rooms leave nothing behind that the next file could trip over: their tests share threads and loaded modules. Node
// reads the sources as they are, so nothing is transformed first; every core takes a share.
const pure = {
  pool: 'threads' as const,
  isolate: false,
  maxWorkers: Math.max(2, availableParallelism() - 1),
  experimental: { viteModuleRunner: false, nodeLoader: false },
};
// Real things take the time that a busy machine gives them; only what never comes is a failure.
const real = { fileParallelism: false, expect: { poll: { timeout: 30_000 } } };

export default defineConfig({
  // An ordinary user may run the tests of a checkout that is not theirs.
  cacheDir: join(tmpdir(), `towtank-vite-${process.getuid?.()}`),
  test: {
    pool: 'forks',
    projects: [
      suite('unit', 30),
      suite('kernel', 120),
      suite('conformance', 120),
      suite('scenarios', 120),
      suite('docs', 120),
      suite('container', 120),
    ],
  },
});
