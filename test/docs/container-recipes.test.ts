import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { stripTypeScriptTypes } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { parse, parseAllDocuments } from 'yaml';
import { createCluster } from '../../src/index.ts';

const root = new URL('../..', import.meta.url).pathname;
const folder = join(root, 'examples/container');
const text = (name: string): string => readFileSync(join(folder, name), 'utf8');
const state = mkdtempSync(join(tmpdir(), 'tt-'));
afterAll(() => rmSync(state, { recursive: true, force: true }));

function isShell(script: string): boolean {
  return spawnSync('sh', ['-n'], { input: script }).status === 0;
}

interface Compose {
  readonly services: Readonly<
    Record<string, { readonly cap_add?: readonly string[]; readonly command?: readonly string[] }>
  >;
}

describe('recipes for containers', () => {
  it('every file is named in the guide', () => {
    const guide = readFileSync(join(root, 'docs/guides/container.md'), 'utf8');
    for (const name of readdirSync(folder)) expect(guide).toContain(`](../../examples/container/${name})`);
  });

  it('what the guide shows is shell', () => {
    const guide = readFileSync(join(root, 'docs/guides/container.md'), 'utf8');
    const blocks = [...guide.matchAll(/^```sh not-run\n([\s\S]*?)^```/gm)];
    expect(blocks.length).toBeGreaterThan(2);
    for (const [, script = ''] of blocks) expect(isShell(script), script).toBe(true);
  });

  it('Compose gives NET_ADMIN, and its command is one that towtank knows', () => {
    const { towtank } = (parse(text('compose.yaml')) as Compose).services;
    expect(towtank?.cap_add).toContain('NET_ADMIN');
    const { stdout } = spawnSync(join(root, 'towtank'), ['up', '--help'], { encoding: 'utf8' });
    for (const word of towtank?.command ?? []) if (word.startsWith('--')) expect(stdout).toContain(word);
  });

  it('scripts of GitHub Actions are shell', () => {
    const { jobs } = parse(text('github-actions.yml')) as {
      readonly jobs: Readonly<
        Record<string, { readonly steps: readonly { readonly run?: string; readonly uses?: string }[] }>
      >;
    };
    const steps = Object.values(jobs).flatMap((job) => job.steps);
    for (const { run, uses } of steps) {
      expect(run ?? uses).toBeTypeOf('string');
      // Expressions are replaced before a shell sees them.
      if (run !== undefined) expect(isShell(run.replaceAll(/\$\{\{.*?\}\}/g, 'x')), run).toBe(true);
    }
  });

  it('the script of GitLab is shell', () => {
    const { network } = parse(text('gitlab-ci.yml')) as { readonly network: { readonly script: readonly string[] } };
    expect(isShell(network.script.join('\n'))).toBe(true);
  });

  it('the line for Podman is shell', () => {
    expect(isShell(text('podman.sh'))).toBe(true);
  });

  it('the test with Testcontainers is TypeScript', () => {
    expect(stripTypeScriptTypes(text('testcontainers.test.ts'))).toContain("new GenericContainer('towtank')");
  });

  it('the development container gives NET_ADMIN and keeps the command of the image', () => {
    const config = JSON.parse(text('devcontainer.json')) as {
      readonly runArgs: readonly string[];
      readonly overrideCommand: boolean;
    };
    expect(config.runArgs).toContain('--cap-add=NET_ADMIN');
    expect(config.overrideCommand).toBe(false);
  });

  it('the API server takes the pod and the objects of the recipes', async () => {
    await using cluster = await createCluster({ nodes: 1, stateRoot: state });
    const applied = await cluster.apply(`${text('pod.yaml')}\n---\n${text('app.yaml')}`);
    expect(applied.map(({ kind }) => kind)).toEqual(['Pod', 'Deployment', 'Service']);
    expect(parseAllDocuments(text('app.yaml'))).toHaveLength(2);
  });
});
