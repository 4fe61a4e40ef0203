/** Payments: a service defined in code (`contracts.ts`). `node payments.ts CONNECTION ID` */
import { absent, get, put } from '../../src/client/index.ts'
import { createServer, implement } from '../../src/rpc/index.ts'
import { payments } from './contracts.ts'
import { runService } from './service-program.ts'

await runService(async (synod, id) => {
  const server = await createServer({
    services: [
      implement(payments, {
        async charge({ orderId, cents }) {
          const key = `payments/${orderId}`
          // Only the first charge of an order is written. Whoever asks again learns of that one.
          const { succeeded, results } = await synod.kv
            .txn()
            .when(absent(key))
            .do(put(key, `${id}:${cents}`))
            .otherwise(get(key))
            .commit()
          const first = succeeded ? `${id}:${cents}` : (results[0]?.text() ?? '')
          return { paymentId: `${orderId}-paid`, servedBy: first.split(':')[0] ?? id }
        },
      }),
    ],
    register: { synod, id },
  })
  return { port: server.address.port, close: () => server.close() }
})
