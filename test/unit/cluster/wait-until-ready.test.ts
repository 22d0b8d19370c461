import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { toWire } from '../../../src/cluster/control/frames.ts';
import type { StartMessage } from '../../../src/cluster/control/protocol.ts';
import { StartSocket } from '../../../src/cluster/start-socket.ts';
import { waitUntilReady } from '../../../src/cluster/wait-until-ready.ts';
import { TowtankError } from '../../../src/errors/towtank-error.ts';

const ended = { exited: Promise.resolve({ exitCode: 1, signal: undefined }) };

let folder: string;
let start: StartSocket;
beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'towtank-test-'));
  start = await StartSocket.listen(join(folder, 'start.sock'));
});
afterEach(() => {
  start.close();
  rmSync(folder, { recursive: true });
});

/** A supervisor that has said this and ended before anybody here could look. */
function sayAndEnd(message: StartMessage): void {
  const program = `require('net').connect(process.argv[1]).write(process.argv[2] + '\\n', () => process.exit())`;
  const { status } = spawnSync(process.execPath, ['-e', program, start.path, JSON.stringify(message)]);
  expect(status).toBe(0);
}

const waiting = () => waitUntilReady(start, ended, { log: join(folder, 'no.log'), onStep: undefined });

describe('a supervisor that has ended already', () => {
  it('is believed what it said last', async () => {
    const error = new TowtankError({ code: 'ERR_INVALID_CONFIG', message: 'spec.nodes: must be a number' });
    sayAndEnd({ type: 'failed', error: toWire(error) });
    await expect(waiting()).rejects.toMatchObject({ code: 'ERR_INVALID_CONFIG', message: error.message });
  });

  it.each([
    ['having said nothing that ends a start', () => sayAndEnd({ type: 'step', name: 'network', ms: 1 })],
    ['without having reached its launcher', () => {}],
  ])('is told with its log, %s', async (_, happens) => {
    happens();
    await expect(waiting()).rejects.toMatchObject({
      code: 'ERR_CLUSTER_START',
      message: expect.stringContaining('ended before it was ready'),
    });
  });
});

it('a start that is interrupted says so, and is not waited for any more', async () => {
  const options = { log: join(folder, 'no.log') };
  const running = { exited: new Promise<never>(() => {}) };
  const controller = new AbortController();
  const started = waitUntilReady(start, running, { ...options, signal: controller.signal });
  controller.abort();
  await expect(started).rejects.toMatchObject({
    code: 'ERR_CLUSTER_START',
    message: expect.stringMatching(/^interrupted/),
  });
  const late = waitUntilReady(start, running, { ...options, signal: controller.signal });
  await expect(late).rejects.toThrow('interrupted');
});
