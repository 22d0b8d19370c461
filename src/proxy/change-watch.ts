/** Looks whether rules are as they should be only after somebody changed rules at all: to ask that costs nothing. */
export class ChangeWatch {
  #seen: string | undefined;

  /**
   * Resolves with what `look` finds, or with true while the kernel's generation is the one of the last time that all was well.
   * Without `readGeneration`, or when it cannot tell, it looks each time.
   */
  async isIntact(
    readGeneration: (() => Promise<string | undefined>) | undefined,
    look: () => Promise<boolean>,
  ): Promise<boolean> {
    // Read first: what is changed while it looks is seen the next time.
    const generation = await readGeneration?.();
    if (generation !== undefined && generation === this.#seen) return true;
    const intact = await look();
    this.#seen = intact ? generation : undefined;
    return intact;
  }
}
