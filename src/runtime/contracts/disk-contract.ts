import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { utf8Bytes } from '../../base/index.ts'
import { type Disk, DiskError, type DiskErrorCode } from '../index.ts'
import type { ContractWorld } from './world.ts'

/** A disk and an empty directory on it. */
export interface DiskSubject {
  readonly disk: Disk
  readonly directory: string
}

/** What every {@link Disk} does. */
export function describeDiskContract(name: string, world: ContractWorld<DiskSubject>): void {
  const test = (title: string, body: (disk: Disk, directory: string) => Promise<void>): void => {
    it(title, () => world.run(({ disk, directory }) => body(disk, directory)))
  }
  describe(`${name}: the Disk contract`, () => {
    describeOpening(test)
    describeBytes(test)
    describeDirectories(test)
    describeLocks(test)
  })
}

type DefineTest = (title: string, body: (disk: Disk, directory: string) => Promise<void>) => void

function describeOpening(test: DefineTest): void {
  test('each open mode treats a present and an absent file as it says', async (disk, directory) => {
    const path = `${directory}/a`
    await assert.rejects(disk.open(path, 'read'), failsWith('NOT_FOUND', path))
    await assert.rejects(disk.open(path, 'write'), failsWith('NOT_FOUND', path))
    const made = await disk.open(path, 'create-new')
    assert.equal(made.path, path)
    await made.write(0, [utf8Bytes('kept')])
    await made.close()
    await assert.rejects(disk.open(path, 'create-new'), failsWith('EXISTS', path))
    for (const mode of ['read', 'write', 'create'] as const) {
      const file = await disk.open(path, mode)
      assert.equal(text(await file.read(0, 100)), 'kept')
      await file.close()
    }
  })

  test('a file in an absent directory cannot be made', async (disk, directory) => {
    await assert.rejects(disk.open(`${directory}/no/file`, 'create'), failsWith('NOT_FOUND', `${directory}/no/file`))
  })

  test('a closed file refuses every call with CLOSED, and closes twice', async (disk, directory) => {
    const file = await disk.open(`${directory}/a`, 'create')
    await file.close()
    await file.close()
    await assert.rejects(file.read(0, 1), failsWith('CLOSED', file.path))
    await assert.rejects(file.write(0, [utf8Bytes('x')]), failsWith('CLOSED', file.path))
    await assert.rejects(file.writeDurably(0, [utf8Bytes('x')]), failsWith('CLOSED', file.path))
    await assert.rejects(file.sync(), failsWith('CLOSED', file.path))
    await assert.rejects(file.truncate(0), failsWith('CLOSED', file.path))
    await assert.rejects(file.sizeBytes(), failsWith('CLOSED', file.path))
  })

  test('a file opened to read refuses writes', async (disk, directory) => {
    const path = `${directory}/a`
    await (await disk.open(path, 'create')).close()
    const file = await disk.open(path, 'read')
    await assert.rejects(file.write(0, [utf8Bytes('x')]), DiskError)
    await assert.rejects(file.writeDurably(0, [utf8Bytes('x')]), DiskError)
    await file.close()
  })
}

function describeBytes(test: DefineTest): void {
  test('chunks are written one after another, durably or not, and read back', async (disk, directory) => {
    const file = await disk.open(`${directory}/a`, 'create')
    await file.write(0, [utf8Bytes('ab'), utf8Bytes(''), utf8Bytes('cd')])
    await file.writeDurably(4, [utf8Bytes('ef'), utf8Bytes('gh')])
    await file.writeDurably(2, [utf8Bytes('CD')])
    await file.sync()
    assert.equal(await file.sizeBytes(), 8)
    assert.equal(text(await file.read(0, 8)), 'abCDefgh')
    assert.equal(text(await file.read(5, 2)), 'fg')
    await file.close()
  })

  test('a read ends with the file', async (disk, directory) => {
    const file = await disk.open(`${directory}/a`, 'create')
    await file.write(0, [utf8Bytes('abc')])
    assert.equal(text(await file.read(1, 100)), 'bc')
    assert.equal((await file.read(3, 1)).length, 0)
    assert.equal((await file.read(99, 1)).length, 0)
    assert.equal((await file.read(0, 0)).length, 0)
    await file.close()
  })

  test('nothing but nothing can be written', async (disk, directory) => {
    const file = await disk.open(`${directory}/a`, 'create')
    await file.write(0, [])
    await file.writeDurably(0, [])
    await file.writeDurably(0, [new Uint8Array(0)])
    assert.equal(await file.sizeBytes(), 0)
    await file.close()
  })

  test('a write past the end leaves zeros between; truncate cuts and extends with zeros', async (disk, directory) => {
    const file = await disk.open(`${directory}/a`, 'create')
    await file.write(3, [utf8Bytes('d')])
    assert.deepEqual([...(await file.read(0, 4))], [0, 0, 0, 100])
    await file.truncate(2)
    assert.equal(await file.sizeBytes(), 2)
    await file.truncate(20_000)
    assert.equal(await file.sizeBytes(), 20_000)
    assert.ok((await file.read(0, 20_000)).every((byte) => byte === 0))
    await file.close()
  })

  test('thousands of chunks and megabytes in one call arrive whole', async (disk, directory) => {
    const file = await disk.open(`${directory}/a`, 'create')
    const chunks = Array.from({ length: 3_000 }, (_, i) => new Uint8Array(700).fill(i % 251))
    await file.sync()
    await file.writeDurably(10, chunks)
    assert.equal(await file.sizeBytes(), 10 + 3_000 * 700)
    const bytes = await file.read(10, 3_000 * 700)
    for (let i = 0; i < 3_000; i++) assert.equal(bytes[i * 700 + 699], i % 251)
    await file.close()
  })

  test('two handles see one file, and a handle outlives the name', async (disk, directory) => {
    const path = `${directory}/a`
    const writer = await disk.open(path, 'create')
    const reader = await disk.open(path, 'read')
    await writer.write(0, [utf8Bytes('one')])
    assert.equal(text(await reader.read(0, 10)), 'one')
    await disk.rename(path, `${directory}/b`)
    await writer.writeDurably(3, [utf8Bytes('two')])
    assert.equal(text(await reader.read(0, 10)), 'onetwo')
    await disk.remove(`${directory}/b`)
    assert.equal(text(await reader.read(0, 10)), 'onetwo')
    await writer.close()
    await reader.close()
  })
}

function describeDirectories(test: DefineTest): void {
  test('makeDirectory makes parents and tolerates what is there', async (disk, directory) => {
    await disk.makeDirectory(`${directory}/x/y`)
    await disk.makeDirectory(`${directory}/x/y`)
    assert.deepEqual(await disk.stat(`${directory}/x/y`), { kind: 'directory', sizeBytes: 0 })
    await disk.syncDirectory(`${directory}/x`)
    await (await disk.open(`${directory}/file`, 'create')).close()
    await assert.rejects(disk.makeDirectory(`${directory}/file`), failsWith('EXISTS', `${directory}/file`))
  })

  test('readDirectory lists names in order, or rejects', async (disk, directory) => {
    for (const name of ['b', 'a', 'c']) await (await disk.open(`${directory}/${name}`, 'create')).close()
    assert.deepEqual(await disk.readDirectory(directory), ['a', 'b', 'c'])
    await assert.rejects(disk.readDirectory(`${directory}/no`), failsWith('NOT_FOUND', `${directory}/no`))
    await assert.rejects(disk.syncDirectory(`${directory}/no`), failsWith('NOT_FOUND', `${directory}/no`))
  })

  test('stat tells kinds and sizes, and undefined for nothing', async (disk, directory) => {
    assert.equal(await disk.stat(`${directory}/no`), undefined)
    assert.equal(await disk.stat(`${directory}/no/no`), undefined)
    const file = await disk.open(`${directory}/a`, 'create')
    await file.write(0, [utf8Bytes('abc')])
    await file.close()
    assert.deepEqual(await disk.stat(`${directory}/a`), { kind: 'file', sizeBytes: 3 })
  })

  test('rename replaces its target at once', async (disk, directory) => {
    for (const name of ['old', 'new']) {
      const file = await disk.open(`${directory}/${name}`, 'create')
      await file.writeDurably(0, [utf8Bytes(name)])
      await file.close()
    }
    await disk.rename(`${directory}/new`, `${directory}/old`)
    await disk.syncDirectory(directory)
    assert.deepEqual(await disk.readDirectory(directory), ['old'])
    const file = await disk.open(`${directory}/old`, 'read')
    assert.equal(text(await file.read(0, 10)), 'new')
    await file.close()
    await assert.rejects(disk.rename(`${directory}/no`, `${directory}/x`), DiskError)
  })

  test('remove takes a directory with all below it, and tolerates nothing', async (disk, directory) => {
    await disk.makeDirectory(`${directory}/x/y`)
    await (await disk.open(`${directory}/x/y/file`, 'create')).close()
    await disk.remove(`${directory}/x`)
    await disk.remove(`${directory}/x`)
    await disk.remove(`${directory}/no/no`)
    assert.deepEqual(await disk.readDirectory(directory), [])
  })

  test('there is space', async (disk, directory) => {
    assert.ok((await disk.availableBytes(directory)) > 0)
    assert.ok((await disk.availableBytes(`${directory}/not/yet`)) > 0)
  })
}

function describeLocks(test: DefineTest): void {
  test('a lock excludes a second claim, names its owner, and is free once released', async (disk, directory) => {
    const path = `${directory}/LOCK`
    const lock = await disk.lock(path, 'process 42 at 127.0.0.1:2379')
    await assert.rejects(disk.lock(path, 'another'), (error: DiskError) => {
      assert.equal(error.code, 'LOCKED')
      assert.match(error.message, /process 42 at 127\.0\.0\.1:2379/)
      return true
    })
    const other = await disk.lock(`${directory}/OTHER`, 'another')
    await other.release()
    await lock.release()
    await lock.release()
    const next = await disk.lock(path, 'the next')
    await assert.rejects(disk.lock(path, 'another'), /the next/)
    await next.release()
  })

  test('a lock in an absent directory is NOT_FOUND', async (disk, directory) => {
    await assert.rejects(disk.lock(`${directory}/no/LOCK`, 'me'), failsWith('NOT_FOUND', `${directory}/no/LOCK`))
  })
}

function failsWith(code: DiskErrorCode, path: string): (error: unknown) => boolean {
  return (error) => {
    assert.ok(error instanceof DiskError, `a DiskError, not ${String(error)}`)
    assert.deepEqual({ code: error.code, path: error.path }, { code, path })
    assert.ok(error.message.includes(path), 'the message says where')
    return true
  }
}

function text(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('utf8')
}
