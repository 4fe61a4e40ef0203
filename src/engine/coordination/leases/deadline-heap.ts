/** Something with a due time that a {@link DeadlineHeap} can hold. */
export interface HeapItem {
  /** When it comes up. Changed only by `DeadlineHeap.update`. */
  dueMs: number
  /** Its place in the heap; -1 in none. Owned by the heap. */
  heapIndex: number
}

/**
 * A binary min-heap on due times whose items know their place, so that moving or removing one takes O(log n).
 *
 * - I1  No item is due before its parent.
 * - I2  `items[i].heapIndex === i`.
 */
export class DeadlineHeap<T extends HeapItem> {
  private items: T[] = []

  get size(): number {
    return this.items.length
  }

  /** The item due first. */
  peek(): T | undefined {
    return this.items[0]
  }

  /** Takes over `items`, in O(n). */
  fill(items: T[]): void {
    this.clear()
    this.items = items
    for (let i = 0; i < items.length; i++) (items[i] as T).heapIndex = i
    for (let i = (items.length >> 1) - 1; i >= 0; i--) this.sink(i)
  }

  clear(): void {
    for (const item of this.items) item.heapIndex = -1
    this.items = []
  }

  /** Puts `item` at `dueMs`, adding it when it is not there. */
  update(item: T, dueMs: number): void {
    item.dueMs = dueMs
    if (item.heapIndex < 0) item.heapIndex = this.items.push(item) - 1
    this.rise(item.heapIndex)
    this.sink(item.heapIndex)
  }

  /** Takes `item` out; one that is not there stays out. */
  remove(item: T): void {
    const at = item.heapIndex
    if (at < 0) return
    item.heapIndex = -1
    const last = this.items.pop() as T
    if (last === item) return
    this.place(last, at)
    this.rise(at)
    this.sink(last.heapIndex)
  }

  private rise(from: number): void {
    const item = this.items[from] as T
    let at = from
    while (at > 0) {
      const parent = this.items[(at - 1) >> 1] as T
      if (parent.dueMs <= item.dueMs) break
      this.place(parent, at)
      at = (at - 1) >> 1
    }
    this.place(item, at)
  }

  private sink(from: number): void {
    const item = this.items[from] as T
    let at = from
    for (;;) {
      let least = 2 * at + 1
      if (least >= this.items.length) break
      const right = this.items[least + 1]
      if (right !== undefined && right.dueMs < (this.items[least] as T).dueMs) least++
      const child = this.items[least] as T
      if (child.dueMs >= item.dueMs) break
      this.place(child, at)
      at = least
    }
    this.place(item, at)
  }

  private place(item: T, at: number): void {
    this.items[at] = item
    item.heapIndex = at
  }
}
