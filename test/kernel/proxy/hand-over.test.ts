import { spawn } from 'node:child_process';
import { once } from 'node:events';
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

describe('a proxy that hands over', () => {
  const TAKE: Question = { kind: 'take', version: VERSION, node: 'node-1' };

  it.each([
    ['before it has the sockets', [[TAKE]], ['leaves rules', 'keeps rules']],
    [
      'when it has to say that it serves',
      [[TAKE], [{ kind: 'ack' }], [{ kind: 'ack' }, { kind: 'ready' }], [{ kind: 'ack' }]],
      ['leaves rules', 'accepts nothing', 'accepts', 'keeps rules'],
    ],
  ] as const)('goes on as before when the new one falls silent %s', async (_when, said, expected) => {
    const events: string[] = [];
    const netns = stack.use(NetworkNamespace.create('hand-over'));
    const pause = async (): Promise<[]> => {
      events.push('accepts nothing');
      return [];
    };
    const offered = new HandOver({
      control: netns.run(() => listenAtName(NAME))!,
      nodeName: 'node-1',
      transport: { share: () => [], pause, resume: () => void events.push('accepts') },
      proxy: { pause: async () => void events.push('leaves rules'), resume: () => void events.push('keeps rules') },
      servers: new ServerSockets(() => -1),
      patienceMs: PATIENCE_MS,
      onError: () => {},
    });
    stack.use(offered);
    const socket = netns.run(() => createConnection({ path: `\0${NAME}` }));
    stack.defer(() => void socket.destroy());
    let heard = '';
    socket.on('data', (chunk: Buffer) => {
      heard += chunk.toString();
    });
    for (const questions of said) {
      const answered = once(socket, 'data');
      socket.write(questions.map((question) => `${JSON.stringify(question)}\n`).join(''));
      await answered;
    }
    await expect.poll(() => heard, patience).toContain('"refused","message":"it took too long');
    expect(events).toEqual(expected);
  });
});

describe('a proxy that takes over', () => {
  // A running proxy that answers what it is told line by line; without an answer it says nothing, after the last one it ends.
  const meet = async (...answers: readonly string[]): Promise<RunningProxy> => {
    const netns = stack.use(NetworkNamespace.create('take-over'));
    const script = `const answers = ${JSON.stringify(answers)};
      require('net').createServer((socket) => socket.on('error', () => {}).on('data', (text) => {
        for (const _ of String(text).trim().split('\\n')) {
          socket.write(answers.shift());
          if (answers.length === 0) socket.end();
        }
      })).listen('\\0${NAME}', () => console.log('listens'));`;
    const server = netns.run(() => spawn(process.execPath, ['-e', script], { stdio: ['ignore', 'pipe', 'inherit'] }));
    const gone = once(server, 'exit');
    stack.defer(async () => {
      server.kill('SIGKILL');
      await gone;
    });
    await once(server.stdout, 'data');
    return stack.use(netns.run(() => RunningProxy.find())!);
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

  it('is told when it says too late that it serves', async () => {
    const running = await meet(line(nothing), '', line(clients), '', refusal);
    expect(running.take('node-1')).toBeDefined();
    expect(running.ready()).toEqual(clients);
    expect(() => running.done()).toThrow('it goes on itself');
  });

  it('serves when the old one ends without a word', async () => {
    const running = await meet(line(nothing), '', line(clients), '', '');
    expect(running.take('node-1')).toBeDefined();
    expect(running.ready()).toEqual(clients);
    expect(() => running.done()).not.toThrow();
  });
});
