/** A binary heap of events, ordered by (time, sequence). Owned by the kernel. */

/** What the queue orders by. Both change only while the event is not in the queue. */
export interface Queued {
  atMs: number
  sequence: number
}

export class EventQueue<Event extends Queued> {
  private readonly heap: Event[] = []

  first(): Event | undefined {
    return this.heap[0]
  }

  add(event: Event): void {
    const { heap } = this
    let index = heap.length
    while (index > 0) {
      const parent = (index - 1) >> 1
      if (isBefore(heap[parent]!, event)) break
      heap[index] = heap[parent]!
      index = parent
    }
    heap[index] = event
  }

  removeFirst(): void {
    const { heap } = this
    const last = heap.pop()
    if (last === undefined || heap.length === 0) return
    let index = 0
    for (;;) {
      let child = 2 * index + 1
      if (child >= heap.length) break
      if (child + 1 < heap.length && isBefore(heap[child + 1]!, heap[child]!)) child++
      if (isBefore(last, heap[child]!)) break
      heap[index] = heap[child]!
      index = child
    }
    heap[index] = last
  }
}

function isBefore(a: Queued, b: Queued): boolean {
  return a.atMs !== b.atMs ? a.atMs < b.atMs : a.sequence < b.sequence
}
