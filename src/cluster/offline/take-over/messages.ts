import type { MovedClients, MovedListener } from '../../../proxy/userspace/movable-transport.ts';

/** Of the words that two proxies speak with each other; another number is another language. */
export const VERSION = 2;

/** Where a proxy in userspace mode is found: a name of the network namespace, which vanishes with whoever has it. */
export const NAME = 'towtank-proxy';

/** A listening socket of the proxy's own servers. */
export interface ServerSocket {
  readonly host: string;
  readonly port: number;
  readonly descriptor: number;
}

/** What a new proxy says to the running one. */
export type Question =
  /** Give me your sockets; go on serving, but leave the rules to me. */
  | { readonly kind: 'take'; readonly version: number; readonly node: string }
  /** The rules lead to these sockets: stop to accept, and tell what you know of clients. */
  | { readonly kind: 'ready' }
  /** I serve them from now on. Whoever has not heard it says so by hearing nothing any more, and goes on. */
  | { readonly kind: 'done' }
  /** I have read so far. */
  | { readonly kind: 'ack' };

/** What the running proxy says. Descriptors are places in a list that comes behind. */
export type Answer =
  | { readonly kind: 'refused'; readonly message: string }
  | {
      readonly kind: 'sockets';
      /** At which the next proxy will ask. */
      readonly control: number;
      readonly servers: readonly ServerSocket[];
      readonly listeners: readonly MovedListener[];
    }
  | { readonly kind: 'clients'; readonly clients: readonly MovedClients[] };

/** An answer as it is sent: how many descriptors come behind it. */
export interface AnswerLine {
  readonly answer: Answer;
  readonly descriptors: number;
}

/** The answer with each of its descriptors replaced by what `replace` makes of it. */
export function mapDescriptors(answer: Answer, replace: (descriptor: number) => number): Answer {
  switch (answer.kind) {
    case 'refused':
      return answer;
    case 'sockets':
      return {
        ...answer,
        control: replace(answer.control),
        servers: answer.servers.map((server) => ({ ...server, descriptor: replace(server.descriptor) })),
        listeners: answer.listeners.map((listener) => ({
          ...listener,
          descriptors: listener.descriptors.map(replace),
        })),
      };
    case 'clients':
      return {
        ...answer,
        clients: answer.clients.map((each) => ({
          ...each,
          flows: each.flows.map((flow) => ({ ...flow, descriptor: replace(flow.descriptor) })),
        })),
      };
  }
}
