// A worker that writes ConfigMaps over HTTP as its parent says, on connections of its own, and tells how long each took.
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { parentPort } from 'node:worker_threads';

export interface LoadRequest {
  readonly port: number;
  readonly clients: number;
  readonly count: number;
  /** Requests a second, evenly; 0 means as fast as they are answered. */
  readonly rate: number;
  /** Names do not repeat between requests to the worker. */
  readonly label: string;
}

export interface LoadAnswer {
  readonly seconds: number;
  /** Milliseconds of each write, from when it was due. */
  readonly latencies: readonly number[];
}

class Connection {
  readonly #socket: Socket;
  #text = '';
  #done: ((status: string) => void) | undefined;

  private constructor(socket: Socket) {
    this.#socket = socket;
    socket.setNoDelay(true).setEncoding('latin1');
    socket.on('data', (chunk: string) => this.#read(chunk));
  }

  static async open(port: number): Promise<Connection> {
    const socket = connect(port, '127.0.0.1');
    await once(socket, 'connect');
    return new Connection(socket);
  }

  write(name: string): Promise<void> {
    const body = `{"kind":"ConfigMap","apiVersion":"v1","metadata":{"name":"${name}"},"data":{"key":"${'x'.repeat(300)}"}}`;
    const head = `POST /api/v1/namespaces/default/configmaps HTTP/1.1\r\nHost: bench\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n`;
    this.#socket.write(head + body);
    return new Promise((resolve, reject) => {
      this.#done = (status) => (status === '201' ? resolve() : reject(new Error(`the server answered ${status}`)));
    });
  }

  close(): void {
    this.#socket.destroy();
  }

  #read(chunk: string): void {
    this.#text += chunk;
    const end = this.#text.indexOf('\r\n\r\n');
    if (end === -1) return;
    const length = Number(/content-length: (\d+)/i.exec(this.#text.slice(0, end))?.[1]);
    if (this.#text.length < end + 4 + length) return;
    const status = this.#text.slice(9, 12);
    this.#text = '';
    this.#done?.(status);
  }
}

async function run({ port, clients, count, rate, label }: LoadRequest): Promise<LoadAnswer> {
  const connections = await Promise.all(Array.from({ length: clients }, () => Connection.open(port)));
  const latencies: number[] = [];
  const started = performance.now();
  let next = 0;
  const work = async (connection: Connection): Promise<void> => {
    while (next < count) {
      const index = next++;
      const due = rate === 0 ? performance.now() : started + (index * 1000) / rate;
      const early = due - performance.now();
      if (early > 0) await new Promise((resolve) => setTimeout(resolve, early));
      await connection.write(`${label}-${index}`);
      latencies.push(performance.now() - due);
    }
  };
  await Promise.all(connections.map(work));
  const seconds = (performance.now() - started) / 1000;
  for (const connection of connections) connection.close();
  return { seconds, latencies };
}

parentPort?.on('message', async (request: LoadRequest) => parentPort?.postMessage(await run(request)));
