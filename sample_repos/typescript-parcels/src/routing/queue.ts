/** Which waiting item is the smallest? A binary heap. */

export class PriorityQueue<T> {
  readonly #heap: T[] = [];

  /** `compare` is negative where its first argument leaves the queue first. */
  constructor(private readonly compare: (one: T, other: T) => number) {}

  get size(): number {
    return this.#heap.length;
  }

  push(item: T): void {
    let place = this.#heap.push(item) - 1;
    while (place > 0) {
      const parent = (place - 1) >> 1;
      if (!this.#before(place, parent)) break;
      this.#swap(place, parent);
      place = parent;
    }
  }

  /** Removes and returns the smallest item; undefined if there is none. */
  pop(): T | undefined {
    const smallest = this.#heap[0];
    const last = this.#heap.pop();
    if (last !== undefined && this.#heap.length > 0) {
      this.#heap[0] = last;
      this.#sink(0);
    }
    return smallest;
  }

  #sink(start: number): void {
    let place = start;
    for (;;) {
      let least = place;
      for (const child of [2 * place + 1, 2 * place + 2]) {
        if (child < this.#heap.length && this.#before(child, least)) least = child;
      }
      if (least === place) return;
      this.#swap(place, least);
      place = least;
    }
  }

  #before(one: number, other: number): boolean {
    return this.compare(this.#heap[one] as T, this.#heap[other] as T) < 0;
  }

  #swap(one: number, other: number): void {
    const kept = this.#heap[one] as T;
    this.#heap[one] = this.#heap[other] as T;
    this.#heap[other] = kept;
  }
}
