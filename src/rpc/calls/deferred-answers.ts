/** A stream of answers that is not there yet: for callers, the stream itself. */
export function deferredAnswers(promised: Promise<AsyncIterable<unknown>>): AsyncIterableIterator<unknown> {
  let iterator: Promise<AsyncIterator<unknown>> | undefined
  const opened = promised.then((answers) => answers[Symbol.asyncIterator]())
  // Told by the first `next`, or by nobody when nobody reads.
  opened.catch(() => {})
  const stream: AsyncIterableIterator<unknown> = {
    async next() {
      iterator ??= opened
      return (await iterator).next()
    },
    async return() {
      const left = await opened.catch(() => undefined)
      await left?.return?.()
      return { done: true, value: undefined }
    },
    [Symbol.asyncIterator]: () => stream,
  }
  return stream
}
