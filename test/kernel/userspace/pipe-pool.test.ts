import { randomBytes } from 'node:crypto';
import { readdirSync } from 'node:fs';
import koffi from 'koffi';
import { afterEach, beforeEach, expect, it } from 'vitest';
import {
  F_SETPIPE_SZ,
  MSG_NOSIGNAL,
  SO_RCVLOWAT,
  SOCK_NONBLOCK,
  SOCK_STREAM,
  SOL_SOCKET,
} from '../../../src/proxy/userspace/engine/constants.ts';
import { createDescriptorTable } from '../../../src/proxy/userspace/engine/descriptors.ts';
import { Engine } from '../../../src/proxy/userspace/engine/engine.ts';
import type { Pipe, PipeUser } from '../../../src/proxy/userspace/engine/pipe.ts';
import { loadSystem, type System } from '../../../src/proxy/userspace/engine/system.ts';
import { DEFAULT_LIMITS } from '../../../src/proxy/userspace/transport.ts';
import { leakCheck } from '../../helpers/leak-check.ts';

const AF_UNIX = 1;
const BLOCK = 100_000;
const ALL_PIPES = 32;
const real = loadSystem();
let system: System;
const socketpair = koffi.load(null).func('int socketpair(int domain, int type, int protocol, void *descriptors)');

let stack: AsyncDisposableStack;
let engine: Engine;
beforeEach(() => {
  stack = new AsyncDisposableStack();
  stack.use(leakCheck());
  system = { ...real };
  engine = new Engine({
    system,
    limits: DEFAULT_LIMITS,
    isLocal: true,
    descriptors: createDescriptorTable(),
    onError: (error) => {
      throw error;
    },
  });
  stack.defer(() => {
    engine.stop();
    engine.run();
  });
});
afterEach(() => stack.disposeAsync());

// Two sockets that are connected with each other.
function pair(): readonly [number, number] {
  const descriptors = new Int32Array(2);
  expect(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, descriptors)).toBe(0);
  const [one = -1, other = -1] = descriptors;
  for (const fd of [one, other]) stack.defer(() => void system.close(fd));
  return [one, other];
}

const openDescriptors = (): number => readdirSync('/proc/self/fd').length;

interface Flow extends PipeUser {
  pipe: Pipe | undefined;
  /** Puts bytes where the pipe is filled from. */
  put(bytes: Uint8Array): number;
}

function openFlow(): Flow {
  const [far, fd] = pair();
  return {
    fd,
    pipe: undefined,
    put: (bytes) => system.send(far, bytes, bytes.length, MSG_NOSIGNAL),
    look: () => {},
    givePipe() {
      engine.pipes.give(this.pipe!);
      this.pipe = undefined;
    },
  };
}

function takePipe(flow: Flow): Pipe {
  flow.pipe = engine.pipes.take(flow);
  if (flow.pipe === undefined) throw new Error('no pipe');
  return flow.pipe;
}

function take(fd: number, length: number): Buffer {
  const bytes = Buffer.alloc(length);
  return bytes.subarray(0, Math.max(0, system.recv(fd, bytes, length, 0)));
}

function lowMark(fd: number): number {
  const value = new Int32Array(1);
  const length = new Uint8Array(Int32Array.of(4).buffer);
  expect(system.getsockopt(fd, SOL_SOCKET, SO_RCVLOWAT, new Uint8Array(value.buffer), length)).toBe(0);
  return value[0]!;
}

it('a pipe carries what came as it was, and holds what there is no room for', () => {
  const flow = openFlow();
  const [near, far] = pair();
  const pipe = takePipe(flow);
  const bytes = randomBytes(BLOCK);
  let sent = 0;
  let written: number;
  do {
    expect(flow.put(bytes)).toBe(BLOCK);
    expect(pipe.fill()).toBe(BLOCK);
    written = pipe.drain(near);
    sent += written;
  } while (written === BLOCK);
  expect(pipe.held).toBe(BLOCK - written);
  let received = 0;
  for (let part = take(far, BLOCK); part.length > 0; part = take(far, BLOCK)) {
    const start = received % BLOCK;
    const expected = Buffer.concat([bytes.subarray(start), bytes]).subarray(0, part.length);
    expect(part.equals(expected)).toBe(true);
    received += part.length;
  }
  expect(received).toBe(sent);
  expect(pipe.drain(near)).toBe(BLOCK - written);
  expect(pipe.held).toBe(0);
});

it('a pipe is worthwhile at first, and no more when little came twice', () => {
  const flow = openFlow();
  const [near] = pair();
  const pipe = takePipe(flow);
  const seen = [1, 2].map(() => {
    flow.put(Buffer.from('little'));
    pipe.fill();
    pipe.drain(near);
    return pipe.isWorthwhile;
  });
  expect(seen).toEqual([true, false]);
});

it('one that lies empty is taken from its user when all are lent, and one in use is not', () => {
  const flows = Array.from({ length: ALL_PIPES }, () => openFlow());
  const pipes = flows.map(takePipe);
  for (const flow of flows.slice(0, -1)) {
    flow.put(Buffer.from('in use'));
    flow.pipe!.fill();
  }
  const next = openFlow();
  expect(takePipe(next)).toBe(pipes.at(-1));
  expect(flows.at(-1)!.pipe).toBe(undefined);
  next.put(Buffer.from('in use'));
  next.pipe!.fill();
  expect(engine.pipes.take(openFlow())).toBe(undefined);
  for (const { pipe } of [...flows, next]) if (pipe !== undefined) engine.pipes.give(pipe);
});

it('one for which the user has no memory left is not taken, and asked for again a second later', () => {
  // As the kernel does it beyond fs.pipe-user-pages-soft: two pages, which may not become more.
  let hasMemory = false;
  system.fcntl = (fd, command, argument) => {
    if (hasMemory) return real.fcntl(fd, command, argument);
    return command === F_SETPIPE_SZ ? -1 : 2 * 4096;
  };
  const descriptors = openDescriptors();
  expect(engine.pipes.take(openFlow())).toBe(undefined);
  hasMemory = true;
  expect(engine.pipes.take(openFlow())).toBe(undefined);
  expect(openDescriptors()).toBe(descriptors + 4);
  engine.now += 1000;
  engine.pipes.give(takePipe(openFlow()));
});

it('bytes of a broken connection reach nobody else', () => {
  const broken = openFlow();
  takePipe(broken);
  broken.put(Buffer.from('broken'));
  broken.pipe!.fill();
  broken.givePipe();
  const flow = openFlow();
  const [near, far] = pair();
  const pipe = takePipe(flow);
  flow.put(Buffer.from('whole'));
  pipe.fill();
  pipe.drain(near);
  expect(take(far, BLOCK).toString()).toBe('whole');
});

it('the kernel tells only of much at once while much comes for long, and of everything when that ends', () => {
  const flow = openFlow();
  const [near, far] = pair();
  const pipe = takePipe(flow);
  const bytes = Buffer.alloc(BLOCK);
  const carry = (total: number): void => {
    for (let moved = 0; moved < total; moved += BLOCK) {
      flow.put(bytes);
      pipe.fill();
      pipe.drain(near);
      take(far, BLOCK);
      pipe.gatherWhenSteady();
    }
  };
  carry(60 << 20);
  expect(lowMark(flow.fd)).toBe(1);
  carry(8 << 20);
  expect(lowMark(flow.fd)).toBe(448 * 1024);
  pipe.stopGathering();
  expect(lowMark(flow.fd)).toBe(1);
  carry(60 << 20);
  expect(lowMark(flow.fd)).toBe(1);
  carry(8 << 20);
  flow.givePipe();
  expect(lowMark(flow.fd)).toBe(1);
});
