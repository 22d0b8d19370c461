import { spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';

// Every ```sh block of README and docs is run, those of one page in order in one shell; a block whose fence says `sh not-run`
// is only shown (installing things, other machines). ```console blocks show output: their commands are run too, their output
// is not compared, since addresses and times differ.
const root = new URL('../..', import.meta.url).pathname;
const scratch = mkdtempSync(join(tmpdir(), 'towtank-docs-'));
afterAll(() => rmSync(scratch, { recursive: true, force: true }));

function pages(folder: string): readonly string[] {
  return readdirSync(folder)
    .flatMap((name) => {
      const path = join(folder, name);
      if (statSync(path).isDirectory()) return pages(path);
      return name.endsWith('.md') ? [path] : [];
    })
    .sort();
}

function commandsOf(page: string): string {
  const blocks = readFileSync(page, 'utf8').matchAll(/^```(sh|console)\n([\s\S]*?)^```/gm);
  return [...blocks]
    .map(([, kind, text = '']) =>
      kind === 'sh' ? text : [...text.matchAll(/^\$ (.*(?:\\\n.*)*)/gm)].map(([, command]) => command).join('\n'),
    )
    .join('\n');
}

function runInShell(script: string): Promise<{ readonly exitCode: number | null; readonly output: string }> {
  const env = {
    ...process.env,
    PATH: `${root}:${process.env['PATH']}`,
    TOWTANK_STATE_DIR: join(scratch, 'state'),
    HOME: scratch,
  };
  const child = spawn('bash', ['-euo', 'pipefail', '-c', script], {
    cwd: root,
    env,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const chunks: Buffer[] = [];
  child.stdout.on('data', (chunk: Buffer) => chunks.push(chunk));
  child.stderr.on('data', (chunk: Buffer) => chunks.push(chunk));
  return new Promise((resolve) => {
    child.on('close', (exitCode) => resolve({ exitCode, output: Buffer.concat(chunks).toString() }));
  });
}

const documented = [join(root, 'README.md'), ...pages(join(root, 'docs'))].map((page) => ({
  page: relative(root, page),
  commands: commandsOf(page),
}));

describe('commands in the documentation', () => {
  const kubectl = spawnSync('sh', ['-c', 'command -v kubectl']).status === 0;
  const runnable = documented.filter(({ commands }) => kubectl || !/^kubectl /m.test(commands));
  if (runnable.length < documented.length) it.skip('pages that use kubectl [kubectl is not installed]');

  it.each(runnable.filter(({ commands }) => commands.trim() !== ''))(
    '$page: every command succeeds',
    async ({ commands }) => {
      const { exitCode, output } = await runInShell(`trap 'towtank down --all >/dev/null' EXIT\n${commands}`);
      expect(exitCode, output).toBe(0);
    },
  );

  it('there are some', () => {
    expect(documented.some(({ page, commands }) => page === 'README.md' && commands.includes('./towtank demo'))).toBe(
      true,
    );
  });
});
