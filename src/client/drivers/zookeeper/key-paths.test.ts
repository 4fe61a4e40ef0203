import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { binaryString, utf8Bytes } from '../../../base/index.ts'
import { prefixEnd } from '../../context.ts'
import { KeyPaths, nodeNamed } from './key-paths.ts'

const paths = new KeyPaths('/synod')
const text = (value: string) => binaryString(utf8Bytes(value))

/** Any bytes, with many of those that mean something. */
const anyKey = fc
  .array(
    fc.oneof(
      fc.constantFrom(0x2f, 0x2f, 0x25, 0x2b, 0x2e, 0x41, 0xc3, 0xa9, 0xef, 0xbf),
      fc.integer({ min: 0, max: 255 }),
    ),
    {
      minLength: 1,
      maxLength: 12,
    },
  )
  .map((bytes) => String.fromCharCode(...bytes))

/** The rules of ZooKeeper's PathUtils.validatePath, written another way. */
function isLegalPath(path: string): boolean {
  const names = path.slice(1).split('/')
  if (!path.startsWith('/') || names.some((name) => name === '' || name === '.' || name === '..')) return false
  for (let at = 0; at < path.length; at++) {
    const unit = path.charCodeAt(at)
    if (unit <= 0x1f || (unit >= 0x7f && unit <= 0x9f) || (unit >= 0xd800 && unit <= 0xf8ff) || unit >= 0xfff0)
      return false
  }
  return true
}

describe('the paths of keys', () => {
  it('are readable where they can be', () => {
    const expected: [string, string][] = [
      ['config/theme', '/synod/config+/theme'],
      ['config', '/synod/config'],
      ['a//b', '/synod/a+/%+/b'],
      ['/', '/synod/%+/%'],
      ['.', '/synod/%2E'],
      ['../...', '/synod/%2E%2E+/...'],
      ['1+1=100%', '/synod/1%2B1=100%25'],
      ['a b', '/synod/a b'],
      ['\0', '/synod/%00'],
      [text('Zürich/東京'), '/synod/Zürich+/東京'],
      [text('\u{1f600}'), '/synod/%F0%9F%98%80'],
      [text('\ufeff+'), '/synod/\ufeff%2B'],
      ['\xff\xfe', '/synod/%FF%FE'],
    ]
    for (const [key, path] of expected) {
      assert.equal(paths.node(key), path)
      assert.equal(paths.keyOf(path), key)
    }
  })

  it('are legal, and tell the key', () => {
    fc.assert(
      fc.property(anyKey, (key) => {
        const path = paths.node(key)
        assert.ok(isLegalPath(path), path)
        assert.equal(paths.keyOf(path), key)
        for (const directory of paths.directoriesAbove(key)) {
          assert.ok(isLegalPath(directory), directory)
          assert.equal(paths.keyOf(directory), undefined)
          assert.ok(path.startsWith(`${directory}/`))
        }
      }),
      { numRuns: 2000 },
    )
  })

  it('are the only ones: a node with another name is not ours', () => {
    const foreign = ['%2e', '%41', 'a%', '%4', '+pins', 'a+b', '%2F', '%C3%A9', '.+x']
    for (const name of foreign) assert.equal(nodeNamed(name), undefined, name)
    assert.equal(paths.keyOf('/synod/+pins/3'), undefined)
    assert.equal(paths.keyOf('/synod/config+'), undefined)
    assert.equal(paths.keyOf('/synod/config/theme'), undefined)
    assert.equal(paths.keyOf('/other/a'), undefined)
  })

  it('a directory of a range holds every key of it, and none lower does', () => {
    fc.assert(
      fc.property(
        anyKey,
        fc.oneof(fc.constant(''), anyKey),
        fc.array(anyKey, { maxLength: 20 }),
        (start, end, keys) => {
          const { prefix, path } = paths.directoryOf(start, end)
          for (const key of keys)
            if (key >= start && (end === '' || key < end)) {
              assert.ok(key.startsWith(prefix), JSON.stringify({ start, end, key, prefix }))
              assert.ok(paths.node(key).startsWith(`${path}/`))
            }
        },
      ),
      { numRuns: 2000 },
    )
    assert.deepEqual(paths.directoryOf('a/b/', prefixEnd('a/b/')), { prefix: 'a/b/', path: '/synod/a+/b+' })
    assert.deepEqual(paths.directoryOf('a/b', prefixEnd('a/b')), { prefix: 'a/', path: '/synod/a+' })
    assert.deepEqual(paths.directoryOf('a/b/', ''), { prefix: '', path: '/synod' })
  })
})
