/** The ids of records that were deleted while they were followed. Ids are never used again. Forgets the oldest. */
export class Deletions {
  /** Far more than the store deletes between two looks at hit counts, which ask for them. */
  readonly #limit = 50_000;
  readonly #ids = new Set<string>();

  add(id: string): void {
    this.#ids.add(id);
    if (this.#ids.size <= this.#limit) return;
    for (const oldest of this.#ids) {
      this.#ids.delete(oldest);
      return;
    }
  }

  delete(id: string): void {
    this.#ids.delete(id);
  }

  has(id: string): boolean {
    return this.#ids.has(id);
  }
}
