import { MemoryStore } from './memory-store.ts'
import { NaiveStore } from './naive-store.ts'
import { describeStoreContract } from './store-contract.ts'

describeStoreContract('MemoryStore', () => new MemoryStore())
describeStoreContract('NaiveStore', () => new NaiveStore())
