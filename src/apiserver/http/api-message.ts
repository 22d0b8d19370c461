const { IncomingMessage } = process.getBuiltinModule('node:http');

const NO_BODY = Buffer.alloc(0);

/**
 * A request whose body can be taken as the parser finds it. Most bodies come with their head in one TLS record: as a stream they
 * would take more time and three more turns of the microtask queue than all the rest of reading a request.
 */
export class ApiMessage extends IncomingMessage {
  #take: ((body: Buffer) => void) | undefined;
  #parts: Buffer[] = [];
  #isTaken = false;

  /** Calls `take` once with the whole body; never when the sender breaks off. To be asked for before any of it was read. */
  takeBody(take: (body: Buffer) => void): void {
    this.#take = take;
  }

  override push(chunk: Buffer | null): boolean {
    const take = this.#take;
    if (take === undefined) return super.push(chunk);
    if (chunk !== null) {
      this.#parts.push(chunk);
      return true;
    }
    const parts = this.#parts;
    this.#parts = [];
    this.#isTaken = true;
    take(parts.length === 1 ? parts[0]! : parts.length === 0 ? NO_BODY : Buffer.concat(parts));
    return false;
  }

  // Nothing is left in the stream that could flow: its end is not waited for.
  override resume(): this {
    return this.#isTaken ? this : super.resume();
  }

  // @ts-expect-error: Node has an accessor where its types have a property.
  override get readableEnded(): boolean {
    // @ts-expect-error: the same.
    return this.#isTaken || super.readableEnded;
  }
}
