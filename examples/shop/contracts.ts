/** What the services of the shop promise each other: the catalog by its `.proto` file, payments in code. */
import { z } from 'zod'
import { grpcService } from '../../src/rpc/grpc/index.ts'
import { defineService, unary } from '../../src/rpc/index.ts'
import { Catalog } from './generated/catalog_pb.ts'

export const catalog = grpcService(Catalog)

export const payments = defineService('payments', {
  /** Charging an order again answers with the first charge: a lost answer may be asked for at another instance. */
  charge: unary({
    request: z.object({ orderId: z.string().min(1), cents: z.int().min(1) }),
    response: z.object({ paymentId: z.string(), servedBy: z.string() }),
    idempotent: true,
  }),
})

/** What `PUT /orders/ID` takes. */
export const OrderRequest = z.object({ sku: z.string().min(1) })

/** What it answers, and what `GET /orders/ID` answers. */
export const Order = z.object({ id: z.string(), sku: z.string(), cents: z.int(), paymentId: z.string() })
export type Order = z.infer<typeof Order>
