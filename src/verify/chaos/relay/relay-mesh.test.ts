import assert from 'node:assert/strict'
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net'
import { afterEach, describe, it } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { openLink } from './link-rule.ts'
import { RelayMesh } from './relay-mesh.ts'

/** The beginning of a greeting by member `id`, and then `text`. */
function greeting(id: bigint, text: string): Buffer {
  const head = Buffer.alloc(24)
  head.write('SYNODP')
  head.writeUInt16LE(1, 6)
  head.writeBigUInt64LE(id, 16)
  return Buffer.concat([head, Buffer.from(text)])
}

interface World {
  readonly mesh: RelayMesh
  /** What the node behind the relay has received, greetings included. */
  readonly received: () => string
  /** The connections that it accepted. */
  readonly accepted: readonly Socket[]
  readonly dial: () => Promise<Socket>
}

async function until(condition: () => boolean, what: string): Promise<void> {
  for (let turn = 0; !condition(); turn++) {
    if (turn > 400) assert.fail(`never: ${what}`)
    await delay(5)
  }
}

describe('the relays between nodes', () => {
  let close: () => void = () => {}
  afterEach(() => close())

  async function world(): Promise<World> {
    let text = ''
    const accepted: Socket[] = []
    const server: Server = createServer((socket) => {
      accepted.push(socket)
      socket.on('error', () => {})
      socket.on('data', (chunk) => (text += chunk.toString('latin1')))
    })
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    const mesh = new RelayMesh(() => 0.5)
    const port = await mesh.add('b', 0, (server.address() as AddressInfo).port)
    mesh.identify('a1', 'a')
    mesh.identify('c1', 'c')
    const dialled: Socket[] = []
    close = () => {
      mesh.close()
      server.close()
      for (const socket of [...accepted, ...dialled]) socket.destroy()
    }
    const dial = (): Promise<Socket> =>
      new Promise((resolve) => {
        const socket = connect(port, '127.0.0.1', () => resolve(socket))
        socket.on('error', () => {})
        dialled.push(socket)
      })
    return { mesh, received: () => text, accepted, dial }
  }

  const aToB = [{ from: 'a', to: 'b' }]

  it('passes bytes on both ways, the greeting first', async () => {
    const { received, accepted, dial } = await world()
    const a = await dial()
    let answer = ''
    a.on('data', (chunk) => (answer += chunk.toString()))
    a.write(greeting(0xa1n, 'hello'))
    await until(() => received().endsWith('hello'), 'hello')
    assert.equal(received().indexOf('SYNODP'), 0)
    accepted[0]!.write('refused')
    await until(() => answer === 'refused', 'the answer')
  })

  it('cuts the direction named and no other, holds what is sent, and gives it out when the cut ends', async () => {
    const { mesh, received, dial } = await world()
    const [a, c] = [await dial(), await dial()]
    a.write(greeting(0xa1n, ''))
    c.write(greeting(0xc1n, ''))
    await until(() => received().length === 48, 'both greetings')
    const cut = mesh.lay(aToB, { ...openLink, cut: true })
    a.write('from a')
    c.write('from c')
    await until(() => received().endsWith('from c'), 'the other direction')
    await delay(50)
    assert.doesNotMatch(received(), /from a/)
    cut.lift()
    await until(() => received().endsWith('from a'), 'what was held')
  })

  it('lets a connection that begins during a cut hang, and nothing tells the dialler', async () => {
    const { mesh, received, accepted, dial } = await world()
    const cut = mesh.lay(aToB, { ...openLink, cut: true })
    const a = await dial()
    let closed = false
    a.on('close', () => (closed = true))
    a.write(greeting(0xa1n, 'late'))
    await delay(60)
    assert.equal(accepted.length, 0)
    assert.equal(closed, false)
    cut.lift()
    await until(() => received().endsWith('late'), 'the greeting')
  })

  it('hides behind a cut that the other side has died', async () => {
    const { mesh, received, accepted, dial } = await world()
    const a = await dial()
    let closed = false
    a.on('close', () => (closed = true))
    a.resume()
    a.write(greeting(0xa1n, 'x'))
    await until(() => received().endsWith('x'), 'the greeting')
    const cut = mesh.lay([...aToB, { from: 'b', to: 'a' }], { ...openLink, cut: true })
    accepted[0]!.destroy()
    await delay(60)
    assert.equal(closed, false)
    cut.lift()
    await until(() => closed, 'the end')
  })

  it('ends the dialler when the other side ends', async () => {
    const { received, accepted, dial } = await world()
    const a = await dial()
    let answer = ''
    let closed = false
    a.on('data', (chunk) => (answer += chunk.toString()))
    a.on('close', () => (closed = true))
    a.write(greeting(0xa1n, 'x'))
    await until(() => received().endsWith('x'), 'the greeting')
    accepted[0]!.end('last words')
    await until(() => closed, 'the end')
    assert.equal(answer, 'last words')
  })

  it('delays, and keeps the order', async () => {
    const { mesh, received, dial } = await world()
    const a = await dial()
    a.write(greeting(0xa1n, ''))
    await until(() => received().length === 24, 'the greeting')
    const slow = mesh.lay(aToB, { ...openLink, delayMs: 80 })
    const startMs = performance.now()
    a.write('1')
    await until(() => received().endsWith('1'), 'the first')
    assert.ok(performance.now() - startMs >= 75)
    a.write('2')
    await delay(20)
    slow.lift()
    a.write('3')
    await until(() => received().endsWith('123'), 'all three in order')
  })

  it('narrows', async () => {
    const { mesh, received, dial } = await world()
    const a = await dial()
    a.write(greeting(0xa1n, ''))
    await until(() => received().length === 24, 'the greeting')
    mesh.lay(aToB, { ...openLink, bytesPerSecond: 10_000 })
    const startMs = performance.now()
    a.write('x'.repeat(1000))
    await until(() => received().length === 1024, 'the bytes')
    assert.ok(performance.now() - startMs >= 90)
  })

  it('what waited on a narrow link goes out at once when the link is wide again', async () => {
    const { mesh, received, dial } = await world()
    const a = await dial()
    a.write(greeting(0xa1n, ''))
    await until(() => received().length === 24, 'the greeting')
    const narrow = mesh.lay(aToB, { ...openLink, bytesPerSecond: 1000 })
    a.write('x'.repeat(500_000))
    await delay(60)
    assert.ok(received().length < 1000, `${received().length} bytes passed`)
    narrow.lift()
    await until(() => received().length === 500_024, 'the bytes')
  })

  it('what was delayed does not wait for longer than the delay is in force', async () => {
    const { mesh, received, dial } = await world()
    const a = await dial()
    a.write(greeting(0xa1n, ''))
    await until(() => received().length === 24, 'the greeting')
    const far = mesh.lay(aToB, { ...openLink, delayMs: 60_000 })
    a.write('x')
    await delay(30)
    far.lift()
    await until(() => received().endsWith('x'), 'the byte')
  })

  it('resets the connections of one dialler', async () => {
    const { mesh, received, accepted, dial } = await world()
    const [a, c] = [await dial(), await dial()]
    const closed: string[] = []
    a.on('close', () => closed.push('a'))
    c.on('close', () => closed.push('c'))
    a.write(greeting(0xa1n, ''))
    await until(() => received().length === 24, 'the first greeting')
    c.write(greeting(0xc1n, ''))
    await until(() => received().length === 48, 'both greetings')
    assert.equal(mesh.reset(aToB), 1)
    await until(() => closed.length > 0 && accepted[0]!.closed, 'the reset')
    assert.deepEqual(closed, ['a'])
    assert.equal(accepted[1]!.closed, false)
  })

  it('passes on what does not greet', async () => {
    const { received, dial } = await world()
    const [other, short] = [await dial(), await dial()]
    other.write('JOIN me')
    await until(() => received() === 'JOIN me', 'another protocol')
    short.write('SYN')
    await until(() => received() === 'JOIN meSYN', 'a short one, after a while')
  })

  it('the worst of several rules on one direction holds', async () => {
    const { mesh, received, dial } = await world()
    const a = await dial()
    a.write(greeting(0xa1n, ''))
    await until(() => received().length === 24, 'the greeting')
    const one = mesh.lay(aToB, { ...openLink, cut: true })
    const two = mesh.lay(aToB, { ...openLink, cut: true, delayMs: 5 })
    one.lift()
    a.write('x')
    await delay(40)
    assert.equal(received().length, 24)
    two.lift()
    await until(() => received().endsWith('x'), 'the byte')
  })
})
