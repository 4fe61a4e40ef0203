/**
 * The service of Apache Thrift's cross tests, of code that the compiler generates for this run: a server of it, and a client
 * that calls everything.
 */
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { symlinkSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import type { ImplementedService, RpcError } from '../../src/rpc/index.ts'
import { implementThrift, type ThriftService, thriftService } from '../../src/rpc/thrift/index.ts'
import { requirePeer } from '../peers.ts'

type Fields = Readonly<Record<string, unknown>>
type StructOf = new (fields?: Fields) => Fields
type Call = (args: readonly unknown[]) => Promise<unknown>

interface Types {
  readonly Xtruct: StructOf
  readonly Xtruct2: StructOf
  readonly Insanity: StructOf
  readonly Xception: StructOf
  readonly Xception2: StructOf
}

const here = import.meta.dirname

/** Generates the code of both languages into `folder`. */
export function generateThriftTest(folder: string): void {
  const definition = join(here, 'thrift-test.thrift')
  for (const language of ['py', 'js:node,es6']) {
    execFileSync(requirePeer('thrift'), ['--gen', language, '-out', folder, definition])
  }
  writeFileSync(join(folder, 'package.json'), '{ "type": "commonjs" }')
  symlinkSync(join(here, '..', '..', 'node_modules'), join(folder, 'node_modules'))
}

export class ThriftTest {
  private readonly types: Types
  private readonly generated: Parameters<typeof thriftService>[0]

  constructor(folder: string) {
    const require = createRequire(join(folder, 'package.json'))
    this.types = require('./thrift-test_types.js') as Types
    this.generated = require('./ThriftTest.js') as Parameters<typeof thriftService>[0]
  }

  service(protocol: 'binary' | 'compact'): ThriftService {
    return thriftService(this.generated, { name: 'ThriftTest', protocol })
  }

  served(): ImplementedService {
    const { Xtruct, Xception, Xception2 } = this.types
    const echo = ([thing]: readonly unknown[]): unknown => thing
    const names = ['String', 'Bool', 'Byte', 'I32', 'I64', 'Double', 'Binary', 'Struct', 'Nest', 'Map', 'StringMap']
    const echoing = [...names, 'Set', 'List', 'Enum', 'Typedef']
    const handlers = {
      ...Object.fromEntries(echoing.map((name) => [`test${name}`, echo])),
      testVoid: () => undefined,
      testMapMap: () => mapMap(),
      testInsanity: ([argument]: readonly unknown[]) => this.insanities(argument),
      testMulti: ([byte_thing, i32_thing, i64_thing]: readonly unknown[]) =>
        new Xtruct({ string_thing: 'Hello2', byte_thing, i32_thing, i64_thing }),
      testException: ([arg]: readonly unknown[]) => {
        if (arg === 'Xception') throw new Xception({ errorCode: 1001, message: arg })
        if (arg === 'TException') throw new Error('of no declared kind')
      },
      testMultiException: ([arg0, arg1]: readonly unknown[]) => {
        if (arg0 === 'Xception') throw new Xception({ errorCode: 1001, message: 'This is an Xception' })
        if (arg0 === 'Xception2') {
          const struct_thing = new Xtruct({ string_thing: 'This is an Xception2' })
          throw new Xception2({ errorCode: 2002, struct_thing })
        }
        return new Xtruct({ string_thing: arg1 })
      },
      testOneway: () => undefined,
    }
    return implementThrift(this.service('binary'), handlers as never)
  }

  /** Calls everything, and checks what comes. */
  async check(client: object): Promise<void> {
    const calls = client as Readonly<Record<string, Call>>
    const call = (name: string, ...args: readonly unknown[]): Promise<unknown> => calls[`test${name}`]!(args)
    const echoes = async (name: string, ...things: readonly unknown[]): Promise<void> => {
      for (const thing of things) assert.deepEqual(plain(await call(name, thing)), plain(thing), `test${name}`)
    }
    const { Xtruct, Xtruct2, Xception, Xception2 } = this.types
    assert.equal(await call('Void'), undefined)
    await echoes('String', '', unicode, 'x'.repeat(1_000_000))
    await echoes('Bool', true, false)
    await echoes('Byte', 0, 63, -127, -128, 127)
    await echoes('I32', 0, -1, 2 ** 31 - 1, -(2 ** 31))
    await echoes('I64', 0, 1, -1, 2 ** 32 + 1, -34_359_738_368, 2 ** 53 - 1, -(2 ** 53) + 1)
    await echoes('Double', 0, -1.5, 5.235098235, 2 ** -59, 1e308, 5e-324, Infinity, -Infinity, Number.NaN, -0)
    await echoes('Binary', Buffer.alloc(0), Buffer.from(Array.from({ length: 256 }, (_, octet) => octet)))
    const thing = new Xtruct({ string_thing: 'Zero', byte_thing: 1, i32_thing: -3, i64_thing: -5 })
    await echoes('Struct', thing, new Xtruct())
    await echoes('Nest', new Xtruct2({ byte_thing: 0, struct_thing: thing, i32_thing: 0 }), new Xtruct2())
    await echoes('Map', { 0: -10, 1: -9, '-2': 8 }, {})
    await echoes('StringMap', { a: '123', ' x y ': 'with spaces ', same: '', 0: unicode, '': 'empty' }, {})
    await echoes('Set', [8, 1, 42, -5], [])
    await echoes('List', [1, 4, 9, -42], [])
    await echoes('Enum', 1, 2, 3, 5, 6, 8)
    await echoes('Typedef', 309_858_235_082_523, -1)
    assert.deepEqual(plain(await call('MapMap', 42)), mapMap())
    const given = this.insanity()
    assert.deepEqual(plain(await call('Insanity', given)), plain(this.insanities(given)))
    const many = { 0: 's0', 1: 's1', '-1': 's-1' }
    const multi = await call('Multi', 74, 0xff00ff, 0xfff_ffff_d0d0, many, 5, 0xf0f0f0)
    const fields = { string_thing: 'Hello2', byte_thing: 74, i32_thing: 0xff00ff, i64_thing: 0xfff_ffff_d0d0 }
    assert.deepEqual(plain(multi), plain(new Xtruct(fields)))
    await call('Exception', 'Safe')
    const failed = (name: string, ...args: readonly unknown[]): Promise<unknown> =>
      call(name, ...args).then(
        () => assert.fail(`test${name} did not fail`),
        (error: unknown) => error,
      )
    const declared = (await failed('Exception', 'Xception')) as Fields
    assert.ok(declared instanceof Xception)
    assert.deepEqual([declared['errorCode'], declared['message']], [1001, 'Xception'])
    assert.equal(((await failed('Exception', 'TException')) as RpcError).name, 'RpcError')
    assert.ok((await failed('MultiException', 'Xception', 'ignored')) instanceof Xception)
    const second = (await failed('MultiException', 'Xception2', 'ignored')) as Fields
    assert.ok(second instanceof Xception2)
    assert.equal((second['struct_thing'] as Fields)['string_thing'], 'This is an Xception2')
    const success = (await call('MultiException', 'success', 'foobar')) as Fields
    assert.equal(success['string_thing'], 'foobar')
    await call('Oneway', 0)
    await echoes('I32', -1)
  }

  private insanity(): unknown {
    const { Insanity, Xtruct } = this.types
    const xtruct = (string_thing: string, n: number): unknown =>
      new Xtruct({ string_thing, byte_thing: n, i32_thing: n, i64_thing: n })
    return new Insanity({ userMap: { 5: 5, 8: 8 }, xtructs: [xtruct('Goodbye4', 4), xtruct('Hello2', 2)] })
  }

  private insanities(argument: unknown): unknown {
    return { 1: { 2: argument, 3: argument }, 2: { 6: new this.types.Insanity() } }
  }
}

const unicode = 'Afrikaans, አማርኛ, العربية, Ελληνικά, 日本語, 한국어, 😀 \0\u0001\t\r\n\\" end'

function mapMap(): unknown {
  return { '-4': { '-4': -4, '-3': -3, '-2': -2, '-1': -1 }, 4: { 1: 1, 2: 2, 3: 3, 4: 4 } }
}

/** Without classes, and with plain numbers for those of 64 bits. */
function plain(value: unknown): unknown {
  if (typeof value !== 'object' || value === null || Buffer.isBuffer(value)) return value
  if (Array.isArray(value)) return value.map(plain)
  if ('toNumber' in value) return Number(value)
  return Object.fromEntries(Object.entries(value).map(([key, one]) => [key, plain(one)]))
}
