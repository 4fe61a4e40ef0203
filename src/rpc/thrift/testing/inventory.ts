/**
 * The service of this folder's tests. `generated/` is what Debian's compiler 0.17 makes of `inventory.thrift`:
 * `thrift --gen js:node,ts,es6 -out generated inventory.thrift`.
 */
import { createRequire } from 'node:module'
import { thriftService } from '../thrift-service.ts'
import type * as Generated from './generated/Inventory.js'
import type * as Types from './generated/inventory_types.js'

const require = createRequire(import.meta.url)

export const generated = require('./generated/Inventory.js') as typeof Generated
export const types = require('./generated/inventory_types.js') as typeof Types

export const inventory = thriftService(generated, { name: 'Inventory', idempotent: ['get', 'all'] })
export const compactInventory = thriftService(generated, {
  name: 'Inventory',
  idempotent: ['get', 'all'],
  protocol: 'compact',
})
