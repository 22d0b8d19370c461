import type { Family } from '../../netfilter/runner.ts';
import { isLocal } from '../facts/endpoint.ts';
import type { SelectedPort } from '../facts/select-endpoints.ts';
import type { ProxyState, QuarantinedPort } from '../proxy-backend.ts';
import type { ReplyPath } from './reply-path.ts';

/** The ServicePorts of a node whose endpoints shall see clients' own addresses, and why some cannot. */
export class ClientAddresses {
  readonly #path: Pick<ReplyPath, 'open' | 'close'>;
  /** By ServicePort key: why not all of its endpoints see clients, undefined where all do. */
  readonly #wishing = new Map<string, Error | undefined>();
  #failure: Error | undefined;
  #isOpen = false;

  constructor(path: Pick<ReplyPath, 'open' | 'close'>) {
    this.#path = path;
  }

  /** ServicePorts of which some endpoints see the node's address all the same. */
  get unmet(): readonly QuarantinedPort[] {
    return [...this.#wishing].flatMap(([key, problem]) => {
      const cause = this.#failure ?? problem;
      return cause === undefined ? [] : [{ key, cause }];
    });
  }

  /** Looks at these ServicePorts; resolves with whether endpoints of this node can be reached from clients' addresses. */
  async update({ node, ports, family }: ProxyState, keys: Iterable<string>, isFull: boolean): Promise<boolean> {
    for (const key of keys) {
      const selected = ports.get(key);
      if (selected?.port.preservesClient !== true || selected.port.protocol !== 'tcp') this.#wishing.delete(key);
      else this.#wishing.set(key, elsewhereProblem(selected, node.nodeName));
    }
    if (this.#wishing.size > 0 && (isFull || !this.#isOpen)) await this.#open(family);
    return this.#isOpen;
  }

  /** Removes what was made in the kernel. */
  async close(): Promise<void> {
    if (this.#isOpen) await this.#path.close();
    this.#isOpen = false;
  }

  // Without it connections come from the node's address, as they do for everybody else.
  async #open(family: Family): Promise<void> {
    try {
      await this.#path.open();
      this.#isOpen = true;
      this.#failure = undefined;
    } catch (error) {
      this.#isOpen = false;
      const why = error instanceof Error ? error.message : String(error);
      const message = `replies over ${family} cannot be led back to the proxy (towtank doctor knows more): ${why}`;
      this.#failure = new Error(message, { cause: error });
    }
  }
}

function elsewhereProblem({ endpoints }: SelectedPort, nodeName: string): Error | undefined {
  const count = endpoints.cluster.filter((endpoint) => !isLocal(endpoint, nodeName)).length;
  if (count === 0) return undefined;
  return new Error(`endpoints on other nodes, whose replies do not pass this one: ${count}`);
}
