import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import * as net from 'node:net'
import { test } from 'node:test'
import { below, handleOf } from './below-stream.ts'

test('this Node shows what lies below its sockets; with one that does not, all goes by streams', async () => {
  assert.notEqual(below, undefined)
  const server = net.createServer((socket) => socket.destroy())
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const socket = net.connect((server.address() as net.AddressInfo).port, '127.0.0.1')
  await new Promise((resolve) => socket.once('connect', resolve))
  assert.notEqual(handleOf(socket), undefined)
  socket.destroy()
  assert.equal(handleOf(socket), undefined)
  server.close()
})

for (const flags of [['--pending-deprecation', '--throw-deprecation'], ['--permission', '--allow-fs-read=*'], []]) {
  test(`a program with ${flags.join(' ') || 'no flags'} is not told of it, and does not end by it`, () => {
    const file = new URL('./below-stream.ts', import.meta.url).href
    const program = `import { below } from '${file}'; process.stdout.write(String(below !== undefined && process.noDeprecation === false))`
    const { status, stdout, stderr } = spawnSync(process.execPath, [...flags, '--input-type=module', '-e', program], {
      encoding: 'utf8',
      env: { ...process.env, NODE_OPTIONS: '' },
    })
    assert.deepEqual([status, stderr], [0, ''])
    assert.equal(stdout, String(!flags.includes('--permission')))
  })
}
