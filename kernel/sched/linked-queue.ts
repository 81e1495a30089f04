/**
 * A doubly linked queue whose links live in the elements: append, prepend and removal from the middle are O(1) and
 * allocate nothing, which the path of every message needs.
 */

/** What an element carries. It may be on one queue at a time. */
export interface QueueLinks<N extends QueueLinks<N>> {
  previous: N | undefined;
  following: N | undefined;
  /** The queue the element is on. */
  queue: LinkedQueue<N> | undefined;
}

export class LinkedQueue<N extends QueueLinks<N>> {
  #first: N | undefined = undefined;
  #last: N | undefined = undefined;
  #size = 0;

  get size(): number {
    return this.#size;
  }

  /** The element at the head, or undefined. */
  get first(): N | undefined {
    return this.#first;
  }

  /** Adds an element, which is on no queue, at the tail. */
  append(node: N): void {
    const last = this.#last;
    node.previous = last;
    node.following = undefined;
    node.queue = this;
    if (last === undefined) this.#first = node;
    else last.following = node;
    this.#last = node;
    this.#size += 1;
  }

  /** Adds an element, which is on no queue, at the head. */
  prepend(node: N): void {
    const first = this.#first;
    node.previous = undefined;
    node.following = first;
    node.queue = this;
    if (first === undefined) this.#last = node;
    else first.previous = node;
    this.#first = node;
    this.#size += 1;
  }

  /** Takes out an element of this queue. Does nothing if it is not on this queue. */
  remove(node: N): void {
    if (node.queue !== this) return;
    const { previous, following } = node;
    if (previous === undefined) this.#first = following;
    else previous.following = following;
    if (following === undefined) this.#last = previous;
    else following.previous = previous;
    node.previous = undefined;
    node.following = undefined;
    node.queue = undefined;
    this.#size -= 1;
  }

  /** Takes out the element at the head. */
  shift(): N | undefined {
    const first = this.#first;
    if (first !== undefined) this.remove(first);
    return first;
  }

  /** From head to tail. The queue must not change meanwhile. */
  *[Symbol.iterator](): IterableIterator<N> {
    for (let node = this.#first; node !== undefined; node = node.following) yield node;
  }
}
