import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';

/** What a started server tells of itself. */
export interface ServerFacts {
  /** From the call that makes it to a ready answer over HTTP, its modules being loaded. */
  readonly startMs: number;
  readonly url: string;
  readonly plainUrl: string;
  readonly ca: string;
  readonly token: string;
}

/** What it has used so far, and the longest turn of its event loop since it was last asked. */
export interface ServerReading {
  readonly cpuMs: number;
  readonly rssMegabytes: number;
  readonly longestTurnMs: number;
}

/** A server in a process of its own. */
export interface BenchServer extends ServerFacts, AsyncDisposable {
  read(): Promise<ServerReading>;
  /** The same after garbage is collected. */
  readCollected(): Promise<ServerReading>;
}

/** Starts one on a store in memory, or on sqlite. */
export async function startBenchServer(engine: 'memory' | 'sqlite' = 'memory'): Promise<BenchServer> {
  const file = new URL('served-lab.ts', import.meta.url);
  // As the cluster's own process is started: a young generation that is not larger than what requests leave behind.
  const execArgv = ['--expose-gc', '--max-semi-space-size=8', ...process.execArgv];
  const child = fork(file, [engine], { execArgv });
  const facts = (await answer(child)) as ServerFacts;
  const ask = async (word: string): Promise<ServerReading> => {
    child.send(word);
    return (await answer(child)) as ServerReading;
  };
  return {
    ...facts,
    read: () => ask('read'),
    readCollected: () => ask('collect'),
    [Symbol.asyncDispose]: async () => {
      const exited = once(child, 'exit');
      child.disconnect();
      await exited;
    },
  };
}

async function answer(child: ChildProcess): Promise<unknown> {
  const [message] = await once(child, 'message');
  return message;
}
