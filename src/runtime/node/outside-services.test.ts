import assert from 'node:assert/strict'
import { createSocket, type Socket } from 'node:dgram'
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { suite, type TestContext, test } from 'node:test'
import { NodeCommands, NodeNameService, NodeTextFiles } from './index.ts'

async function until(holds: () => boolean): Promise<void> {
  const deadline = AbortSignal.timeout(10_000)
  while (!holds()) {
    if (deadline.aborted) throw new Error(`it does not come about: ${holds}`)
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
}

const [typeA, typeAaaa, typeSrv] = [1, 28, 33]

/** A DNS server (RFC 1035 §4.1) with one record a question; others do not exist. Silent for names that begin with `silent`. */
async function nameServer(t: TestContext, records: Readonly<Record<string, Buffer>>): Promise<string> {
  const socket: Socket = createSocket('udp4')
  socket.on('message', (query, { port, address }) => {
    let at = 12
    const labels: string[] = []
    for (let length = query[at]!; length !== 0; length = query[at]!) {
      labels.push(query.toString('latin1', at + 1, at + 1 + length))
      at += length + 1
    }
    const name = labels.join('.')
    if (name.startsWith('silent')) return
    const type = query.readUInt16BE(at + 1)
    const data = records[`${name} ${type}`]
    const known = Object.keys(records).some((key) => key.startsWith(`${name} `))
    const answer = Buffer.alloc(data === undefined ? 0 : 12)
    if (data !== undefined) {
      answer.writeUInt16BE(0xc00c, 0)
      answer.writeUInt16BE(type, 2)
      answer.writeUInt16BE(1, 4)
      answer.writeUInt32BE(60, 6)
      answer.writeUInt16BE(data.length, 10)
    }
    const head = Buffer.from(query.subarray(0, 12))
    head.writeUInt16BE(known ? 0x8180 : 0x8183, 2)
    head.writeUInt16BE(data === undefined ? 0 : 1, 6)
    head.writeUInt32BE(0, 8)
    const question = query.subarray(12, at + 5)
    socket.send(Buffer.concat([head, question, answer, data ?? Buffer.alloc(0)]), port, address)
  })
  await new Promise<void>((resolve) => socket.bind(0, '127.0.0.1', resolve))
  t.after(() => void socket.close())
  return `127.0.0.1:${socket.address().port}`
}

function srv(priority: number, weight: number, port: number, target: string): Buffer {
  const labels = target === '' ? [] : target.split('.')
  const name = labels.flatMap((label) => [label.length, ...Buffer.from(label)])
  return Buffer.from([priority >> 8, priority & 255, 0, weight, port >> 8, port & 255, ...name, 0])
}

suite('names', () => {
  test('of this machine', async () => {
    const addresses = await new NodeNameService().addresses('localhost')
    assert.ok(addresses.includes('127.0.0.1') || addresses.includes('::1'))
    assert.deepEqual(await new NodeNameService().addresses('127.0.0.1'), ['127.0.0.1'])
  })

  test('by a name server: A, AAAA and SRV, and each way of having no answer', async (t) => {
    const server = await nameServer(t, {
      [`web.test ${typeA}`]: Buffer.from([10, 0, 0, 1]),
      [`web.test ${typeAaaa}`]: Buffer.from([0xfd, ...new Array<number>(14).fill(0), 1]),
      [`four.test ${typeA}`]: Buffer.from([10, 0, 0, 2]),
      [`_web._tcp.test ${typeSrv}`]: srv(10, 5, 8080, 'web.test'),
      [`_gone._tcp.test ${typeSrv}`]: srv(0, 0, 0, ''),
    })
    const names = new NodeNameService({ servers: [server], timeoutMs: 100, triesMax: 1 })
    assert.deepEqual(await names.addresses('web.test'), ['10.0.0.1', 'fd00::1'])
    assert.deepEqual(await names.addresses('four.test'), ['10.0.0.2'])
    assert.deepEqual(await names.services('_web._tcp.test'), [
      { host: 'web.test', port: 8080, priority: 10, weight: 5 },
    ])
    await assert.rejects(names.addresses('nobody.test'), { name: 'NameError', code: 'NOT_FOUND' })
    await assert.rejects(names.services('web.test'), { name: 'NameError', code: 'NOT_FOUND' })
    await assert.rejects(names.services('_gone._tcp.test'), { name: 'NameError', code: 'NOT_FOUND' })
    await assert.rejects(names.addresses('silent.test'), { name: 'NameError', code: 'TIMEOUT' })
  })
})

suite('text files', () => {
  test('a change is told however it is made: written, replaced by rename, behind a link, removed', async (t) => {
    const folder = mkdtempSync(join(tmpdir(), 'synod-files-'))
    t.after(() => rmSync(folder, { recursive: true }))
    const files = new NodeTextFiles()
    const path = join(folder, 'list.yaml')
    let changes = 0
    const stop = files.watch(path, () => changes++)
    t.after(stop)
    const told = async (change: () => void): Promise<void> => {
      const before = changes
      change()
      await until(() => changes > before)
    }
    await assert.rejects(files.read(path), /ENOENT.*list.yaml/)
    await told(() => writeFileSync(path, 'one'))
    assert.equal(await files.read(path), 'one')
    await told(() => {
      writeFileSync(`${path}.new`, 'two')
      renameSync(`${path}.new`, path)
    })
    assert.equal(await files.read(path), 'two')
    await told(() => rmSync(path))
    // As Kubernetes mounts a ConfigMap: a link to a link that is replaced.
    for (const version of ['v1', 'v2']) {
      mkdirSync(join(folder, version))
      writeFileSync(join(folder, version, 'list.yaml'), version)
    }
    symlinkSync('v1', join(folder, '..data'))
    await told(() => symlinkSync(join('..data', 'list.yaml'), path))
    await told(() => {
      symlinkSync('v2', join(folder, '..data_tmp'))
      renameSync(join(folder, '..data_tmp'), join(folder, '..data'))
    })
    assert.equal(await files.read(path), 'v2')
    stop()
    const before = changes
    writeFileSync(path, 'three')
    // Another watch of the same file sees it; the stopped one does not.
    let heard = 0
    const other = files.watch(path, () => heard++)
    await until(() => heard > 0)
    other()
    assert.equal(changes, before)
  })

  test('a file that is too large is refused', async (t) => {
    const folder = mkdtempSync(join(tmpdir(), 'synod-files-'))
    t.after(() => rmSync(folder, { recursive: true }))
    writeFileSync(join(folder, 'large'), Buffer.alloc(16 * 1024 * 1024 + 1))
    await assert.rejects(new NodeTextFiles().read(join(folder, 'large')), /split or shorten it/)
  })
})

suite('commands', () => {
  const commands = new NodeCommands()
  const never = new AbortController().signal

  test('end with their status and last line', async () => {
    const end = await commands.run(['/bin/sh', '-c', 'echo first; echo "$1" >&2; exit 7', 'x', '$(not a shell)'], never)
    assert.deepEqual(end, { status: 7, detail: '$(not a shell)' })
    assert.deepEqual(await commands.run(['/bin/true'], never), { status: 0, detail: '' })
    const { status, detail } = await commands.run(['/no/such'], never)
    assert.equal(status, undefined)
    assert.match(detail, /ENOENT/)
  })

  test('are killed with all that they started', async (t) => {
    const folder = mkdtempSync(join(tmpdir(), 'synod-commands-'))
    t.after(() => rmSync(folder, { recursive: true }))
    const note = join(folder, 'pid')
    const abort = new AbortController()
    const script = 'sleep 100 & echo $! > "$1.new"; mv "$1.new" "$1"; wait'
    const running = commands.run(['/bin/sh', '-c', script, 'x', note], abort.signal)
    await until(() => existsSync(note))
    const pid = Number(readFileSync(note, 'utf8'))
    assert.ok(isRunning(pid))
    abort.abort()
    const { status, detail } = await running
    assert.equal(status, undefined)
    assert.match(detail, /SIGKILL/)
    await until(() => !isRunning(pid))
    assert.equal((await commands.run(['/bin/true'], abort.signal)).status, undefined)
  })
})

/** A process that ended and that nobody has waited for yet runs no more. */
function isRunning(pid: number): boolean {
  try {
    return !/^State:\tZ/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'))
  } catch {
    return false
  }
}
