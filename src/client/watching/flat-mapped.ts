/**
 * Each item of `source` turned into any number of others, in order. Leaving the loop leaves the source's at once, also
 * while it is waiting. An error of `map` ends both.
 */
export function flatMapped<A, B>(
  source: AsyncIterator<A>,
  map: (item: A) => Iterable<B> | Promise<Iterable<B>>,
): AsyncIterableIterator<B> {
  return new FlatMapped(source, map)
}

class FlatMapped<A, B> implements AsyncIterableIterator<B> {
  private readonly source: AsyncIterator<A>
  private readonly map: (item: A) => Iterable<B> | Promise<Iterable<B>>
  private rest: Iterator<B> | undefined
  private done = false
  /** Calls of `next` are answered one after the other. */
  private turn: Promise<unknown> = Promise.resolve()

  constructor(source: AsyncIterator<A>, map: (item: A) => Iterable<B> | Promise<Iterable<B>>) {
    this.source = source
    this.map = map
  }

  next(): Promise<IteratorResult<B>> {
    const answer = this.turn.then(() => this.advance())
    this.turn = answer.catch(() => {})
    return answer
  }

  async return(): Promise<IteratorResult<B>> {
    this.done = true
    await this.source.return?.()
    return { done: true, value: undefined }
  }

  [Symbol.asyncIterator](): this {
    return this
  }

  private async advance(): Promise<IteratorResult<B>> {
    while (!this.done) {
      const item = this.rest?.next()
      if (item !== undefined && item.done !== true) return item
      this.rest = undefined
      const from = await this.source.next()
      if (from.done === true) break
      try {
        this.rest = (await this.map(from.value))[Symbol.iterator]()
      } catch (error) {
        await this.return()
        throw error
      }
    }
    this.done = true
    return { done: true, value: undefined }
  }
}
