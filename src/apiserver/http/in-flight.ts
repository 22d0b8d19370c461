import { ApiStatusError } from '../../kube/status.ts';

const MAX_IN_FLIGHT = 600;

/** Limits how many requests are worked on at once, watches and streams apart; one too many is told to come again (429). */
export class InFlight {
  #count = 0;

  get count(): number {
    return this.#count;
  }

  async run<T>(work: () => Promise<T>): Promise<T> {
    if (this.#count >= MAX_IN_FLIGHT) {
      throw new ApiStatusError('TooManyRequests', 'too many requests, please try again later', {
        retryAfterSeconds: 1,
      });
    }
    this.#count++;
    try {
      return await work();
    } finally {
      this.#count--;
    }
  }
}
