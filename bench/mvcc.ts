/**
 * Measures the multi-version store alone: `node bench/mvcc.ts [keys] [valueBytes]` (100,000 and 256 when left out).
 * Prints operations a second of processor time, bytes a key and a revision, the longest slice of reclaiming and the
 * longest turn of the writing loop (collections included), and the speed of snapshots and loads. Add
 * `--expose-gc` for exact memory and `--trace-gc` for the collections.
 */
import { binaryString } from '../src/base/index.ts'
import { MemoryStore, MemoryStoreLoader, type RecordRef } from '../src/storage/mvcc/index.ts'

const keyCount = Number(process.argv[2] ?? 100_000)
const valueBytes = Number(process.argv[3] ?? 256)
const putCount = 1_000_000
const putsPerTurn = 100
const snapshotChunkBytes = 256 * 1024
const valueSeed = 0x9e37_79b1

const now = () => performance.now()

/** Processor time of this thread in milliseconds: what a busy machine does not distort. */
function cpu(): number {
  const { user, system } = process.threadCpuUsage()
  return (user + system) / 1000
}

const value = Buffer.alloc(valueBytes, 'v')
const frame = Buffer.alloc(64)

/** A key as the wire hands it over: cut from a received buffer. */
function key(i: number): string {
  const text = `bench/key/${String(i).padStart(10, '0')}`
  frame.latin1Write(text, 0)
  return binaryString(frame.subarray(0, text.length))
}

/** Uniform and repeatable: a permutation-like walk over the keys. */
function pick(i: number): number {
  return (Math.imul(i, valueSeed) >>> 0) % keyCount
}

function report(name: string, text: string): void {
  console.log(`${name.padEnd(34)} ${text}`)
}

function perSecond(count: number, ms: number): string {
  return `${Math.round(count / ms).toLocaleString('en')} k/s`
}

function memory(): { rss: number; heap: number; buffers: number } {
  globalThis.gc?.()
  const { rss, heapUsed, arrayBuffers } = process.memoryUsage()
  return { rss: rss / 1e6, heap: heapUsed / 1e6, buffers: arrayBuffers / 1e6 }
}

/** Runs `turn` for every batch and returns the total and the longest processor time. */
function timed(batches: number, turn: (batch: number) => void): { ms: number; longest: number } {
  const start = cpu()
  let last = start
  let longest = 0
  for (let batch = 0; batch < batches; batch++) {
    turn(batch)
    const at = cpu()
    longest = Math.max(longest, at - last)
    last = at
  }
  return { ms: last - start, longest }
}

const store = new MemoryStore()
const empty = memory()

const filled = timed(keyCount / putsPerTurn, (batch) => {
  for (let i = 0; i < putsPerTurn; i++) {
    const name = key((Math.imul(batch * putsPerTurn + i, valueSeed) >>> 0) % 0x7fff_ffff)
    store.write((transaction) => transaction.put(name, value, 0n))
  }
})
report('put, new keys, random order', `${perSecond(keyCount, filled.ms)}, longest turn ${filled.longest.toFixed(1)} ms`)
const full = memory()
const keys: string[] = []
for (let i = 0; i < keyCount; i++) keys.push(key((Math.imul(i, valueSeed) >>> 0) % 0x7fff_ffff))
const live = store.keyCount
const encodedBytes = Math.round(
  store.range({ key: '\0', end: '\0' }, 0, 0, false).refs.reduce((sum, ref) => sum + store.encodedLength(ref), 0) /
    live,
)
report('keys, encoded bytes each', `${live}, ${encodedBytes}`)
report('size, in use', `${Math.round(store.sizeBytes / 1e6)} MB, ${Math.round(store.sizeInUseBytes / 1e6)} MB`)
report('bytes a key over its encoding', `${Math.round(store.sizeInUseBytes / live - encodedBytes)} in use`)
report('process', `rss ${Math.round(full.rss)} MB (empty ${Math.round(empty.rss)}), heap ${Math.round(full.heap)}`)

function puts(name: string): void {
  const before = store.sizeInUseBytes
  const run = timed(putCount / putsPerTurn, (batch) => {
    for (let i = 0; i < putsPerTurn; i++) {
      const target = keys[pick(batch * putsPerTurn + i)]!
      store.write((transaction) => transaction.put(target, value, 0n))
    }
  })
  report(name, `${perSecond(putCount, run.ms)}, longest turn ${run.longest.toFixed(1)} ms`)
  report(
    'bytes a revision over its encoding',
    `${((store.sizeInUseBytes - before) / putCount - encodedBytes).toFixed(1)}`,
  )
}

function gets(name: string, atRevision: number): void {
  let found = 0
  const run = timed(putCount / putsPerTurn, (batch) => {
    for (let i = 0; i < putsPerTurn; i++) if (store.get(keys[pick(batch * 7 + i * 31)]!, atRevision) >= 0) found++
  })
  report(name, `${perSecond(putCount, run.ms)}${found === putCount ? '' : ' NOT ALL FOUND'}`)
}

function compactAndReclaim(): void {
  const start = now()
  store.compact(store.revision)
  report('compact()', `${(now() - start).toFixed(3)} ms`)
  let longest = 0
  let slices = 0
  const reclaimStart = now()
  for (let more = true; more; slices++) {
    const at = cpu()
    more = store.reclaim(2, now)
    longest = Math.max(longest, cpu() - at)
  }
  report(
    'reclaim(2 ms)',
    `${(now() - reclaimStart).toFixed(0)} ms in ${slices} slices, longest ${longest.toFixed(1)} ms`,
  )
  report('size, in use', `${Math.round(store.sizeBytes / 1e6)} MB, ${Math.round(store.sizeInUseBytes / 1e6)} MB`)
}

puts('put, existing keys')
gets('get', 0)
gets('get at an old revision', keyCount + 2)
const target = Buffer.alloc(64 * 1024 * 1024)
const ranges = timed(10_000, (i) => {
  const from = keys[pick(i)]!
  let offset = 0
  for (const ref of store.range({ key: from, end: '\0' }, 0, 100, false).refs) {
    offset = store.copyEncoded(ref, target, offset, false)
  }
})
report(
  'range of 100, encoded',
  `${perSecond(10_000 * 100, ranges.ms)} records, longest ${ranges.longest.toFixed(1)} ms`,
)
const cursor = store.cursor({ key: '\0', end: '\0' }, 0)
let read = 0
const walk: RecordRef[] = []
let longestSlice = 0
for (let more = true; more; ) {
  const at = cpu()
  walk.length = 0
  more = cursor.next(1000, walk)
  let offset = 0
  for (const ref of walk) offset = store.copyEncoded(ref, target, offset, false)
  read += walk.length
  longestSlice = Math.max(longestSlice, cpu() - at)
}
cursor.close()
report('cursor over all, slices of 1000', `${read} records, longest slice ${longestSlice.toFixed(1)} ms`)
compactAndReclaim()
puts('put, existing keys, slots again')

const hashStart = cpu()
const job = store.hash(0)

while (job.step(1000) === undefined);
report('hash', `${perSecond(putCount + keyCount, cpu() - hashStart)} records`)
compactAndReclaim()

const loader = new MemoryStoreLoader()
const snapshot = store.snapshot()
let snapshotMs = 0
let loadMs = 0
let longestLoad = 0
let bytes = 0
for (;;) {
  const at = cpu()
  const chunk = snapshot.next(snapshotChunkBytes)
  const read = cpu()
  snapshotMs += read - at
  if (chunk === undefined) break
  loader.write(chunk)
  bytes += chunk.length
  const load = cpu() - read
  loadMs += load
  longestLoad = Math.max(longestLoad, load)
}
snapshot.close()
const loaded = loader.finish()
report('snapshot', `${perSecond(live, snapshotMs)} records, ${Math.round(bytes / 1e6)} MB`)
report('load', `${perSecond(live, loadMs)} records, longest chunk ${longestLoad.toFixed(1)} ms`)
if (loaded.keyCount !== live) throw new Error('the loaded store has other keys')
