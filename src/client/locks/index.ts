export { type AcquirableContext, type AcquirableParts, createAcquirable, type GrantRequest } from './acquirable.ts'
export { createFence, type Fence, type FencedWrite } from './fence.ts'
export type {
  Acquirable,
  AcquireOptions,
  Held,
  HeldLock,
  HeldLocks,
  HeldPermit,
  HeldReadLock,
  TryOptions,
} from './held.ts'
export { createLock, type Lock, type LockOptions } from './lock.ts'
export { createMultiLock, type MultiLock, type MultiLockOptions } from './multi-lock.ts'
export { createRwLock, type RwLock, type RwLockOptions } from './rw-lock.ts'
export { createSemaphore, type Semaphore, type SemaphoreOptions } from './semaphore.ts'
export { readTokenFloor, tokenBytes, tokenFloorKey, tokenIn } from './token-floor.ts'
