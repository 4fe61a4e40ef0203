import assert from 'node:assert/strict'
import { test } from 'node:test'
import { boundUrls } from './bound-urls.ts'
import { parseUrls } from './urls.ts'

const urls = (text: string) => parseUrls('x', text, [])
const texts = (of: string, listen: string, ports: readonly number[]): string[] =>
  boundUrls(
    urls(of),
    urls(listen),
    ports.map((port) => ({ host: '127.0.0.1', port })),
  ).map(({ text }) => text)

test('ports that the system chose are told as they are', () => {
  const listen = 'http://127.0.0.1:0,http://[::1]:0,http://127.0.0.1:2379'
  const ports = [4_001, 4_002, 2_379]
  assert.deepEqual(texts(listen, listen, ports), [
    'http://127.0.0.1:4001',
    'http://[::1]:4002',
    'http://127.0.0.1:2379',
  ])
  assert.deepEqual(texts('http://db.example:0', listen, ports), ['http://db.example:4001'])
  assert.deepEqual(texts('http://db.example:0', 'http://127.0.0.1:1', [1]), ['http://db.example:0'])
})
