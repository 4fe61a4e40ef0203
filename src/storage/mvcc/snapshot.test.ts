import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { InvariantError, Prng } from '../../base/index.ts'
import { MemoryStore } from './memory-store.ts'
import { SnapshotError } from './snapshot-error.ts'
import { MemoryStoreLoader } from './snapshot-loader.ts'
import type { MvccStore } from './store.ts'
import { hashOf, kept, put, reclaimAll, remove } from './store-contract.ts'

function filled(): MemoryStore {
  const store = new MemoryStore()
  for (let i = 0; i < 60; i++) put(store, `key${i % 20}`, 'value '.repeat(i), BigInt(i))
  remove(store, 'key3', 'key7')
  put(store, 'key5', 'again')
  store.compact(30)
  return store
}

function imageOf(store: MvccStore, chunkBytes = 1): Buffer {
  const snapshot = store.snapshot()
  const chunks: Uint8Array[] = []
  for (let chunk = snapshot.next(chunkBytes); chunk !== undefined; chunk = snapshot.next(chunkBytes)) chunks.push(chunk)
  snapshot.close()
  return Buffer.concat(chunks)
}

function load(...chunks: Uint8Array[]): MvccStore {
  const loader = new MemoryStoreLoader()
  for (const chunk of chunks) loader.write(chunk)
  return loader.finish()
}

function refuses(image: Uint8Array, code: SnapshotError['code'] = 'SNAPSHOT_DAMAGED'): void {
  assert.throws(
    () => load(image),
    (error) => error instanceof SnapshotError && !(error instanceof InvariantError) && error.code === code,
  )
}

describe('snapshot image', () => {
  it('gives back the store, from chunks cut anywhere', () => {
    const store = filled()
    const image = imageOf(store)
    for (let cut = 0; cut <= image.length; cut += 101) {
      const loaded = load(image.subarray(0, cut), image.subarray(cut))
      assert.equal(hashOf(loaded), hashOf(store))
      assert.deepEqual(kept(loaded), kept(store))
    }
    const loader = new MemoryStoreLoader()
    for (const byte of image) loader.write(Uint8Array.of(byte))
    assert.equal(hashOf(loader.finish()), hashOf(store))
  })

  it('is the bytes of the worked example', () => {
    const store = new MemoryStore()
    put(store, 'k', 'v')
    const hex = imageOf(store).toString('hex')
    assert.match(
      hex,
      /^53594e4f444d56430100000010000000.{8}0102000000000000000{16}0e000000.{8}020c0a016b1002180220012a01760010000000.{8}0301000000000000000100000000000000$/,
    )
  })

  it('takes an empty store', () => {
    const loaded = load(imageOf(new MemoryStore()))
    assert.deepEqual([loaded.revision, loaded.keyCount, loaded.compactedRevision], [1, 0, 0])
    put(loaded, 'a', '1')
    assert.equal(loaded.revision, 2)
  })

  it('is whole while the store goes on', () => {
    const store = filled()
    const [revision, records, hash] = [store.revision, kept(store), hashOf(store)]
    const snapshot = store.snapshot()
    const chunks: Uint8Array[] = []
    for (let chunk = snapshot.next(1); chunk !== undefined; chunk = snapshot.next(1)) {
      chunks.push(chunk)
      put(store, 'key1', 'later')
      remove(store, 'key2')
      store.compact(store.revision)
      assert.equal(
        store.reclaim(1000, () => 0),
        false,
      )
    }
    snapshot.close()
    const loaded = load(Buffer.concat(chunks))
    assert.deepEqual([loaded.revision, kept(loaded), hashOf(loaded)], [revision, records, hash])
    reclaimAll(store)
    assert.equal(kept(store).includes('key1@2'), false)
  })

  it('finds every cut', () => {
    const image = imageOf(filled())
    for (let length = 0; length < image.length; length += 7) refuses(image.subarray(0, length))
    refuses(image.subarray(0, image.length - 1))
    refuses(Buffer.concat([image, Uint8Array.of(0)]))
    refuses(Buffer.concat([image, image]))
  })

  it('finds every changed byte', () => {
    const image = imageOf(filled(), 4096)
    const prng = new Prng('damage')
    for (let at = 0; at < image.length; at += at < 60 ? 1 : 37) {
      const damaged = Buffer.from(image)
      damaged[at]! ^= 1 << prng.below(8)
      refuses(damaged, at >= 8 && at < 12 ? 'SNAPSHOT_VERSION' : 'SNAPSHOT_DAMAGED')
    }
  })

  it('finds frames lost, doubled or exchanged', () => {
    const frames: Uint8Array[] = []
    const snapshot = filled().snapshot()
    for (let chunk = snapshot.next(1); chunk !== undefined; chunk = snapshot.next(1)) frames.push(chunk)
    assert.ok(frames.length > 6)
    refuses(Buffer.concat(frames.toSpliced(3, 1)))
    refuses(Buffer.concat(frames.toSpliced(3, 0, frames[3]!)))
    refuses(Buffer.concat(frames.toSpliced(3, 2, frames[4]!, frames[3]!)))
  })

  it('is refused for good after a fault', () => {
    const image = imageOf(filled())
    const loader = new MemoryStoreLoader()
    const damaged = Buffer.from(image)
    damaged[200]! ^= 1
    assert.throws(() => loader.write(damaged), SnapshotError)
    assert.throws(() => loader.write(image), SnapshotError)
    assert.throws(() => loader.finish(), SnapshotError)
  })
})
