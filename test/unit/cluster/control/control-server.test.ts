import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough, Readable } from 'node:stream';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ControlClient } from '../../../../src/cluster/control/control-client.ts';
import { type ControlHandlers, listenControl } from '../../../../src/cluster/control/control-server.ts';
import { UserError } from '../../../../src/errors/towtank-error.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'towtank-control-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

const idle: ControlHandlers = { calls: {}, downloads: {}, exec: async () => ({ exitCode: 0 }) };

describe('control socket', () => {
  it('answers a call with JSON', async () => {
    const path = join(folder, 's');
    await using _server = await listenControl(path, {
      ...idle,
      calls: { '/add': async (body) => (body as number[]).reduce((a, b) => a + b) },
    });
    expect(await new ControlClient(path).call('/add', [1, 2, 3])).toBe(6);
  });

  it('hands an error over with its code and hint', async () => {
    const path = join(folder, 's');
    const fail = async (): Promise<never> => {
      throw new UserError({ code: 'ERR_USAGE', message: 'no', hint: 'yes' });
    };
    await using _server = await listenControl(path, { ...idle, calls: { '/fail': fail } });
    await expect(new ControlClient(path).call('/fail')).rejects.toMatchObject({
      code: 'ERR_USAGE',
      message: 'no',
      hint: 'yes',
    });
  });

  it('says that no cluster answers when nobody listens', async () => {
    await expect(new ControlClient(join(folder, 'none')).call('/status')).rejects.toMatchObject({
      code: 'ERR_CLUSTER_NOT_FOUND',
    });
  });

  it('carries input, both outputs and the exit code of an exec', async () => {
    const path = join(folder, 's');
    await using _server = await listenControl(path, {
      ...idle,
      async exec(_request, { stdin, stdout, stderr }) {
        for await (const chunk of stdin ?? []) stdout?.write(String(chunk).toUpperCase());
        stderr?.write('done');
        return { exitCode: 7 };
      },
    });
    const stdout = new PassThrough();
    const stderr = new PassThrough();
    const exitCode = await new ControlClient(path).exec(
      { target: { kind: 'client' }, command: ['cat'], tty: false, stdin: true },
      { stdin: Readable.from([Buffer.from('quiet '), Buffer.from('words')]), stdout, stderr },
    );
    expect([exitCode, stdout.read()?.toString(), stderr.read()?.toString()]).toEqual([7, 'QUIET WORDS', 'done']);
  });

  it('tells the command when its caller goes away', async () => {
    const path = join(folder, 's');
    const aborted = Promise.withResolvers<void>();
    const started = Promise.withResolvers<void>();
    const server = await listenControl(path, {
      ...idle,
      async exec(_request, { signal }) {
        signal.addEventListener('abort', () => aborted.resolve());
        started.resolve();
        await aborted.promise;
        return { exitCode: 0 };
      },
    });
    const exec = new ControlClient(path).exec(
      { target: { kind: 'client' }, command: ['sleep'], tty: false, stdin: false },
      {},
    );
    exec.catch(() => undefined);
    await started.promise;
    await server[Symbol.asyncDispose]();
    await aborted.promise;
    await expect(exec).rejects.toMatchObject({ code: 'ERR_CLUSTER_NOT_FOUND' });
  });
});
