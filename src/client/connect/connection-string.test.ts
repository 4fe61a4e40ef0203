import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { parseConnectionString } from './connection-string.ts'

suite('connection strings', () => {
  test('embedded: a directory, memory, nodes', () => {
    const { scheme, path, nodes } = parseConnectionString('embedded:./data?nodes=3')
    assert.deepEqual({ scheme, path, nodes }, { scheme: 'embedded', path: './data', nodes: 3 })
    assert.equal(parseConnectionString('embedded:/var/lib/x y').path, '/var/lib/x y')
    for (const text of ['embedded:', 'memory:', 'embedded:?nodes=1', 'memory:?ttlMs=2000'])
      assert.equal(parseConnectionString(text).path, undefined, text)
    assert.equal(parseConnectionString('memory:?ttlMs=2000').sessionTtlMs, 2000)
  })

  test('hosts, ports, credentials, options', () => {
    const target = parseConnectionString('etcd://ada:p%40ss@h1,h2:99,[::1]:7?namespace=a/&tls=true&timeoutMs=250')
    assert.deepEqual(target.addresses, [
      { host: 'h1', port: 2379 },
      { host: 'h2', port: 99 },
      { host: '::1', port: 7 },
    ])
    assert.deepEqual([target.user, target.password, target.tls], ['ada', 'p@ss', true])
    assert.deepEqual([target.namespace, target.requestTimeoutMs], ['a/', 250])
    assert.deepEqual(parseConnectionString('zookeeper://z/app/x').path, '/app/x')
    assert.deepEqual(parseConnectionString('zookeeper://z').addresses, [{ host: 'z', port: 2181 }])
    assert.deepEqual(parseConnectionString('redis://:secret@r/2').path, '/2')
    assert.equal(parseConnectionString('redis://:secret@r/2').password, 'secret')
  })

  const wrong: readonly [text: string, why: RegExp][] = [
    ['', /no scheme.*embedded:\.\/data/],
    ['127.0.0.1:2379', /"127\.0\.0\.1:" is no engine/],
    ['http://h', /"http:" is no engine/],
    ['embedded://h', /takes a path/],
    ['embedded:./data?nodes=2', /1, 3 or 5/],
    ['memory:./data', /embedded:\.\/data/],
    ['etcd:h1', /needs hosts/],
    ['etcd://', /"" is no HOST/],
    ['etcd://h:0', /port of "h:0" is not from 1/],
    ['etcd://h:70000', /port of/],
    ['etcd://h,,i', /"" is no HOST/],
    ['etcd://::1', /brackets/],
    ['etcd://h/prefix', /namespace/],
    ['etcd://h?foo=1', /"foo" is not known/],
    ['etcd://h?tls=yes', /true or false/],
    ['etcd://h?timeoutMs=1&timeoutMs=2', /twice/],
    ['etcd://h?timeoutMs=soon', /milliseconds/],
    ['etcd://u:%zz@h', /the password is not percent-encoded/],
    ['redis://a,b', /one host/],
  ]
  for (const [text, why] of wrong)
    test(`refuses ${JSON.stringify(text)}`, () => {
      assert.throws(() => parseConnectionString(text), { code: 'INVALID_ARGUMENT', message: why })
    })

  test('a password is never repeated in a message', () => {
    for (const text of [
      'etcd://u:s3cret@h:x',
      'etcd://u:s3cret%zz@h',
      'zookeeper://u:s3cret@?q=1',
      'etcd://u:p@s3cret@h',
    ])
      assert.throws(
        () => parseConnectionString(text),
        (error: Error) => !error.message.includes('s3cret'),
      )
  })
})
