import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';

const folder = new URL('../../examples', import.meta.url).pathname;
const state = mkdtempSync(join(tmpdir(), 'tt-'));
afterAll(() => rmSync(state, { recursive: true, force: true }));

describe('examples', () => {
  it.each(readdirSync(folder).filter((name) => name.endsWith('.ts')))('%s runs', (name) => {
    const { status, stderr, stdout } = spawnSync(process.execPath, [join(folder, name)], {
      encoding: 'utf8',
      env: { ...process.env, TOWTANK_STATE_DIR: state },
    });
    expect(stderr).toBe('');
    expect(stdout).not.toBe('');
    expect(status).toBe(0);
  });
});
