import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { administratorSearchPath, findExecutable } from '../../../../src/kernel/programs/find-executable.ts';

let folder: string;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'towtank-find-'));
  for (const directory of ['a', 'b', 'b/folder']) mkdirSync(join(folder, directory));
  for (const [file, mode] of [
    ['a/plain', 0o644],
    ['b/plain', 0o755],
    ['b/tool', 0o755],
    ['a/data', 0o644],
  ] as const) {
    writeFileSync(join(folder, file), '#!/bin/sh\n');
    chmodSync(join(folder, file), mode);
  }
});
afterAll(() => rmSync(folder, { recursive: true }));

const find = (name: string) => findExecutable(name, `${folder}/a:${folder}/b`, folder);

describe('finding a program', () => {
  it('goes through PATH in order, past files that may not be run', () => {
    expect(find('tool')).toBe(`${folder}/b/tool`);
    expect(find('plain')).toBe(`${folder}/b/plain`);
  });

  it('takes a name with a slash as it is, relative to the working directory', () => {
    expect(find('b/tool')).toBe(`${folder}/b/tool`);
    expect(find(`${folder}/b/tool`)).toBe(`${folder}/b/tool`);
  });

  it.each([
    ['nothing', 'ERR_MISSING_PROGRAM', 'exec: "nothing": executable file not found in $PATH'],
    ['a/nothing', 'ERR_MISSING_PROGRAM', 'exec: "a/nothing": no such file or directory'],
    ['data', 'ERR_PERMISSION', 'exec: "data": permission denied'],
    ['b/folder', 'ERR_PERMISSION', 'exec: "b/folder": permission denied'],
    ['', 'ERR_MISSING_PROGRAM', 'exec: "": the command is empty'],
  ])('%o ends in the words of container runtimes', (name, code, message) => {
    expect(() => find(name)).toThrow(expect.objectContaining({ code, message }));
  });

  it('an administrator’s programs are found by everybody', () => {
    expect(administratorSearchPath().split(':')).toEqual(expect.arrayContaining(['/usr/sbin', '/sbin']));
  });
});
