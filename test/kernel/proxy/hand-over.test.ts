import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync } from 'node:fs';
import { createConnection } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { HandOver } from '../../../src/cluster/offline/take-over/hand-over.ts';
import { type Answer, NAME, type Question, VERSION } from '../../../src/cluster/offline/take-over/messages.ts';
import { RunningProxy } from '../../../src/cluster/offline/take-over/running-proxy.ts';
import { ServerSockets } from '../../../src/cluster/offline/take-over/server-sockets.ts';
import { listenAtName } from '../../../src/kernel/named-sockets.ts';
import { NetworkNamespace } from '../../../src/kernel/network-namespace.ts';

// What a new proxy does here takes milliseconds, unless it does nothing.
const PATIENCE_MS = 2000;
const patience = { timeout: 40_000 };

let stack = new AsyncDisposableStack();
afterEach(async () => {
  await stack.disposeAsync();
  stack = new AsyncDisposableStack();
});

const line = (answer: Answer, descriptors = 0): string => `${JSON.stringify({ answer, descriptors })}\n`;
const refusal = line({ kind: 'refused', message: 'it goes on itself' });

const TAKE: Question = { kind: 'take', version: VERSION, node: 'node-1' };
const TO_CLIENTS: readonly (readonly Question[])[] = [
  [TAKE],
  [{ kind: 'ack' }],
  [{ kind: 'ack' }, { kind: 'ready' }],
  [{ kind: 'ack' }],
];

/** A proxy that runs, and a new one that has asked all of these and heard the answers. */
async function meetRunning(said: readonly (readonly Question[])[]) {
  const events: string[] = [];
  const netns = stack.use(NetworkNamespace.create('hand-over'));
  const pause = async (): Promise<[]> => {
    events.push('accepts nothing');
    return [];
  };
  const running = stack.use(
    new HandOver({
      control: netns.run(() => listenAtName(NAME))!,
      nodeName: 'node-1',
      transport: { share: () => [], pause, resume: () => void events.push('accepts') },
      proxy: { pause: async () => void events.push('leaves rules'), resume: () => void events.push('keeps rules') },
      servers: new ServerSockets(() => -1),
      patienceMs: PATIENCE_MS,
      onError: () => {},
    }),
  );
  const socket = netns.run(() => createConnection({ path: `\0${NAME}` }));
  stack.defer(() => void socket.destroy());
  const say = (questions: readonly Question[]): boolean =>
    socket.write(questions.map((question) => `${JSON.stringify(question)}\n`).join(''));
  let text = '';
  socket.on('data', (chunk: Buffer) => {
    text += chunk.toString();
  });
  for (const questions of said) {
    const answered = once(socket, 'data');
    say(questions);
    await answered;
  }
  return { running, events, say, heard: () => text };
}

describe('a proxy that hands over', () => {
  it.each([
    ['before it has the sockets', [[TAKE]], ['leaves rules', 'keeps rules']],
    ['when it has to say that it serves', TO_CLIENTS, ['leaves rules', 'accepts nothing', 'accepts', 'keeps rules']],
  ] as const)('goes on as before when the new one falls silent %s', async (_when, said, expected) => {
    const { events, heard } = await meetRunning(said);
    await expect.poll(heard, patience).toContain('"refused","message":"it took too long');
    expect(events).toEqual(expected);
  });

  it('does what it was told while it was stopped, however late it wakes', async () => {
    const { running, events, say, heard } = await meetRunning(TO_CLIENTS.slice(0, -1));
    say([{ kind: 'ack' }, { kind: 'done' }]);
    // Nothing happens in this process until its patience is over.
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, PATIENCE_MS + 100);
    expect(await running.replaced).toBe(process.pid);
    expect(events).toEqual(['leaves rules', 'accepts nothing']);
    expect(heard()).not.toContain('refused');
  });
});

describe('a proxy that takes over', () => {
  // A running proxy that answers what it is told line by line; without an answer it says nothing, after the last one it ends.
  const meet = async (...answers: readonly string[]): Promise<RunningProxy> => {
    const script = `const answers = ${JSON.stringify(answers)};
      require('net').createServer((socket) => socket.on('error', () => {}).on('data', (text) => {
        for (const _ of String(text).trim().split('\\n')) {
          socket.write(answers.shift());
          if (answers.length === 0) socket.end();
        }
      })).listen('\\0${NAME}', () => console.log('listens'));`;
    return (await start('commonjs', script)).running;
  };
  // One that hands over as it does, but has nothing to hand over; it says when it goes on itself.
  const meetReal = () =>
    start(
      'module',
      `import { HandOver } from '${new URL('../../../src/cluster/offline/take-over/hand-over.ts', import.meta.url)}';
      import { listenAtName } from '${new URL('../../../src/kernel/named-sockets.ts', import.meta.url)}';
      new HandOver({
        control: listenAtName('${NAME}'),
        nodeName: 'node-1',
        transport: { share: () => [], pause: async () => [], resume: () => {} },
        proxy: { pause: async () => {}, resume: () => {} },
        servers: { current: () => [] },
        patienceMs: ${PATIENCE_MS},
        onError: () => console.log('goes on'),
      });
      console.log('listens');`,
    );
  const start = async (type: 'commonjs' | 'module', script: string) => {
    const netns = stack.use(NetworkNamespace.create('take-over'));
    const words = [`--input-type=${type}`, '-e', script];
    const server = netns.run(() => spawn(process.execPath, words, { stdio: ['ignore', 'pipe', 'inherit'] }));
    const gone = once(server, 'exit');
    stack.defer(async () => {
      server.kill('SIGKILL');
      await gone;
    });
    await once(server.stdout, 'data');
    return { running: stack.use(netns.run(() => RunningProxy.find())!), says: server.stdout };
  };
  const sockets: Answer = { kind: 'sockets', control: 0, servers: [], listeners: [] };
  const nothing: Answer = { ...sockets, control: -1 };
  const clients: Answer = { kind: 'clients', clients: [] };

  it('hears a refusal that comes in place of descriptors', async () => {
    const running = await meet(line(sockets, 1), refusal);
    expect(() => running.take('node-1')).toThrow('does not hand over');
  });

  it('hears a refusal behind an answer that it had not read yet', async () => {
    const running = await meet(line(nothing) + refusal);
    expect(() => running.take('node-1')).toThrow('it goes on itself');
  });

  it('ends when the old one goes on before it has said that it serves', async () => {
    const { running, says } = await meetReal();
    closeSync(running.take('node-1')!.control);
    expect(running.ready()).toEqual(clients);
    expect(String(await once(says, 'data'))).toBe('goes on\n');
    expect(() => running.done()).toThrow('it took too long to serve');
  });

  it('serves when the old one ends without a word', async () => {
    const running = await meet(line(nothing), '', line(clients), '', '');
    expect(running.take('node-1')).toBeDefined();
    expect(running.ready()).toEqual(clients);
    expect(() => running.done()).not.toThrow();
  });
});
