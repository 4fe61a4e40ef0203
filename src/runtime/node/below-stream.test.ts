import assert from 'node:assert/strict'
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
