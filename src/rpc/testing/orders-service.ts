/** The service of `orders.proto` with a behaviour that tests can see. Used by the tests of RPC and their outsiders. */
import { grpcService } from '../grpc/index.ts'
import { Orders } from '../grpc/testing/generated/orders_pb.ts'
import { type ImplementedService, implement, RpcError } from '../index.ts'

export const orders = grpcService(Orders)

/** `item`s that make `placeOrder` do something else: `fail CODE`, `throw`, `wait`. */
export function ordersOf(servedBy: string, seen: string[] = []): ImplementedService {
  return implement(orders, {
    async placeOrder({ item, note }, context) {
      seen.push(item)
      const asked = context.metadata.get('x-echo')
      const bytes = context.metadata.get('x-echo-bin')
      if (asked !== undefined || bytes !== undefined) {
        context.sendHeaders({
          ...(asked === undefined ? {} : { 'x-head': asked }),
          ...(bytes === undefined ? {} : { 'x-head-bin': bytes }),
        })
        if (asked !== undefined) context.setTrailer('x-trailer', asked)
        if (bytes !== undefined) context.setTrailer('x-trailer-bin', bytes)
      }
      if (item === 'throw') throw new TypeError('a secret of the server')
      if (item === 'fail') {
        throw new RpcError('FAILED_PRECONDITION', 'no such item: 100 % ✗', {
          metadata: new Map([['x-why', 'sold out']]),
          details: [{ typeUrl: 'type.googleapis.com/synod.Test', value: Uint8Array.of(1, 2, 3) }],
        })
      }
      if (item === 'wait') await aborted(context.signal, seen)
      return { id: `${item}-1`, servedBy, note }
    },
    getOrder: ({ id }) => ({ id, item: 'book', count: 1 }),
    async *listOrders({ count, noteBytes }, context) {
      try {
        for (let at = 0; at < count; at++) {
          yield { id: String(at), item: 'book', count: at, note: new Uint8Array(noteBytes) }
        }
        if (context.metadata.get('x-then') === 'fail') throw new RpcError('DATA_LOSS', 'the rest is lost')
      } finally {
        seen.push(`listed ${context.signal.aborted ? 'and aborted' : 'all'}`)
      }
    },
    async upload(requests) {
      let count = 0
      let bytes = 0n
      for await (const { note } of requests) {
        count++
        bytes += BigInt(note.length)
      }
      return { count, bytes }
    },
    async *chat(requests) {
      for await (const { id, item } of requests) yield { id, item: item.toUpperCase() }
    },
  })
}

/** Waits until the call is over, and notes how. */
function aborted(signal: AbortSignal, seen: string[]): Promise<never> {
  return new Promise((_, reject) => {
    signal.addEventListener('abort', () => {
      seen.push(`aborted: ${(signal.reason as RpcError).code}`)
      reject(signal.reason)
    })
  })
}
