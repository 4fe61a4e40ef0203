interface QueuedEvent {
  readonly atMs: number
  readonly sequence: number
  readonly run: () => void
}

/** Simulated time for one small experiment: events in the order of their time, then of their making. */
export class EventQueue {
  nowMs = 0
  private sequence = 0
  private readonly heap: QueuedEvent[] = []

  after(delayMs: number, run: () => void): void {
    const event = { atMs: this.nowMs + delayMs, sequence: this.sequence++, run }
    const { heap } = this
    let at = heap.length
    while (at > 0) {
      const parent = (at - 1) >> 1
      if (comesBefore(heap[parent]!, event)) break
      heap[at] = heap[parent]!
      at = parent
    }
    heap[at] = event
  }

  /** Runs the next event. False when there is none. */
  step(): boolean {
    const next = this.heap[0]
    if (next === undefined) return false
    this.removeFirst()
    this.nowMs = next.atMs
    next.run()
    return true
  }

  private removeFirst(): void {
    const { heap } = this
    const last = heap.pop()
    if (last === undefined || heap.length === 0) return
    let at = 0
    for (;;) {
      let child = 2 * at + 1
      if (child >= heap.length) break
      if (child + 1 < heap.length && comesBefore(heap[child + 1]!, heap[child]!)) child++
      if (comesBefore(last, heap[child]!)) break
      heap[at] = heap[child]!
      at = child
    }
    heap[at] = last
  }
}

function comesBefore(a: QueuedEvent, b: QueuedEvent): boolean {
  return a.atMs !== b.atMs ? a.atMs < b.atMs : a.sequence < b.sequence
}
