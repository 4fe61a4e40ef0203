import assert from 'node:assert/strict'
import { BlockList } from 'node:net'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { Prng } from '../../base/index.ts'
import type { ClientInfo, Fields, RequestHead } from '../http/index.ts'
import {
  acceptedRequestId,
  appendForwardedFields,
  cidrSet,
  clientAddress,
  type ForwardedMode,
  newRequestId,
  parseCidr,
} from './index.ts'

function headWith(fields: Fields, authority = 'shop.example:8443'): RequestHead {
  return {
    version: '1.1',
    method: 'GET',
    target: '/',
    scheme: 'https',
    authority,
    fields,
    bodyLength: 0,
    expectsContinue: false,
    upgrade: undefined,
    memo: undefined,
    get: (name) => fields[fields.findIndex((each, index) => index % 2 === 0 && each === name) + 1],
  }
}

function clientAt(address: string): ClientInfo {
  return { address, port: 4_000, localPort: 8_443, tls: undefined, listener: 'web' }
}

function forwarded(mode: ForwardedMode, peer: string, fields: Fields, trusted: readonly string[]): string[] {
  const out: string[] = []
  appendForwardedFields(out, mode, headWith(fields), clientAt(peer), cidrSet(trusted))
  return out
}

describe('networks', () => {
  it('hold the addresses of their prefix, in both families and in mapped form', () => {
    const set = cidrSet(['10.0.0.0/8', '192.168.7.9', '2001:db8::/33', '::1'])
    for (const inside of ['10.255.0.1', '::ffff:10.1.2.3', '192.168.7.9', '2001:db8:7fff::1', '0:0:0:0:0:0:0:1']) {
      assert.equal(set.has(inside), true, inside)
    }
    for (const outside of [
      '11.0.0.1',
      '192.168.7.8',
      '2001:db8:8000::',
      '::2',
      '',
      'unix:',
      '10.0.0.1:80',
      '::ffff:11.0.0.0',
    ]) {
      assert.equal(set.has(outside), false, outside)
    }
    assert.equal(cidrSet(['fe80::/10']).has('fe80::1%eth0'), true)
    assert.equal(cidrSet(['0.0.0.0/0']).has('8.8.8.8'), true)
    assert.equal(cidrSet(['0.0.0.0/0']).has('2001:db8::1'), false)
    assert.equal(cidrSet(['::/0']).has('8.8.8.8'), true)
  })

  it('refuse what is malformed', () => {
    for (const text of [
      '',
      '10.0.0',
      '10.0.0.256',
      '010.0.0.1',
      '10.0.0.0/33',
      '10.0.0.0/',
      '1::2::3',
      '::/129',
      ':::',
      '1:2:3:4:5:6:7:8:9',
      '1:2:3:4:5:6:7::8',
      'g::',
      '1.2.3.4::',
    ]) {
      assert.equal(parseCidr(text), undefined, text)
    }
    assert.throws(() => cidrSet(['nonsense']), /"nonsense" is no network/)
  })

  it('agree with node:net on random networks', () => {
    const family = (address: string) => (address.includes(':') ? 'ipv6' : 'ipv4')
    const address = fc.oneof(fc.ipV4(), fc.ipV6())
    fc.assert(
      fc.property(address, fc.nat(128), address, (network, bits, other) => {
        const prefix = family(network) === 'ipv4' ? bits % 33 : bits
        const list = new BlockList()
        list.addSubnet(network, prefix, family(network))
        const set = cidrSet([`${network}/${prefix}`])
        for (const each of [network, other]) {
          // Node keeps the families apart; ours are one space, so only the same family is compared.
          if (family(each) !== family(network) || /^::(ffff:)?[\d.]*\./i.test(each)) continue
          assert.equal(set.has(each), list.check(each, family(each)), `${each} in ${network}/${prefix}`)
        }
      }),
    )
  })
})

describe('the client', () => {
  const trusted = cidrSet(['10.0.0.0/8', 'fd00::/8'])
  const table: readonly (readonly [peer: string, fields: Fields, client: string])[] = [
    ['203.0.113.9', ['x-forwarded-for', '1.1.1.1'], '203.0.113.9'],
    ['10.0.0.1', [], '10.0.0.1'],
    ['10.0.0.1', ['x-forwarded-for', '6.6.6.6, 1.1.1.1'], '1.1.1.1'],
    ['10.0.0.1', ['x-forwarded-for', '6.6.6.6, 1.1.1.1, 10.0.0.7'], '1.1.1.1'],
    ['10.0.0.1', ['x-forwarded-for', '6.6.6.6', 'x-forwarded-for', '1.1.1.1,10.0.0.7'], '1.1.1.1'],
    ['10.0.0.1', ['x-forwarded-for', '10.9.9.9, 10.0.0.7'], '10.9.9.9'],
    ['10.0.0.1', ['x-forwarded-for', '1.1.1.1, garbage, 10.0.0.7'], '10.0.0.7'],
    ['10.0.0.1', ['x-forwarded-for', '1.1.1.1:5555'], '1.1.1.1'],
    ['fd00::1', ['x-forwarded-for', '[2001:db8::5]:99'], '2001:db8::5'],
    ['10.0.0.1', ['forwarded', 'for=6.6.6.6, For="[2001:db8::5]:99";proto=https;by=10.0.0.1'], '2001:db8::5'],
    ['10.0.0.1', ['forwarded', 'for="6.6.6.6, 7.7.7.7", for=1.1.1.1'], '1.1.1.1'],
    ['10.0.0.1', ['forwarded', 'for=1.1.1.1, for=_hidden'], '10.0.0.1'],
    ['10.0.0.1', ['forwarded', 'for=6.6.6.6', 'x-forwarded-for', '1.1.1.1'], '1.1.1.1'],
  ]
  for (const [peer, fields, client] of table) {
    it(`${peer} with ${fields.join(' ') || 'nothing'} is ${client}`, () => {
      assert.equal(clientAddress(peer, fields, trusted), client)
    })
  }

  it('is the peer, or an address that stands right of every untrusted one', () => {
    const hop = fc.oneof(fc.ipV4(), fc.constant('10.0.0.7'), fc.constant('unknown'), fc.string({ maxLength: 6 }))
    fc.assert(
      fc.property(fc.array(hop, { maxLength: 6 }), (hops) => {
        const client = clientAddress('10.0.0.1', ['x-forwarded-for', hops.join(',')], trusted)
        const right = hops
          .join(',')
          .split(',')
          .map((each) => each.trim())
        const at = right.lastIndexOf(client)
        assert.ok(client === '10.0.0.1' || at !== -1)
        for (const passed of right.slice(at + 1)) {
          if (client !== '10.0.0.1') assert.equal(trusted.has(passed.replace(/:\d+$/, '')) || trusted.has(client), true)
        }
      }),
    )
  })
})

describe('forwarded fields', () => {
  it('replace what an untrusted client claims', () => {
    const lies = [
      'x-forwarded-for',
      '1.1.1.1',
      'x-forwarded-proto',
      'http',
      'x-forwarded-host',
      'evil',
      'forwarded',
      'for=1.1.1.1',
    ]
    assert.deepEqual(forwarded('both', '203.0.113.9', lies, ['10.0.0.0/8']), [
      'x-forwarded-for',
      '203.0.113.9',
      'x-forwarded-proto',
      'https',
      'x-forwarded-host',
      'shop.example:8443',
      'x-forwarded-port',
      '8443',
      'forwarded',
      'for=203.0.113.9;host="shop.example:8443";proto=https',
    ])
  })

  it('extend what a trusted proxy says', () => {
    const said = [
      'x-forwarded-for',
      '1.1.1.1',
      'x-forwarded-proto',
      'http',
      'x-forwarded-host',
      'a.example',
      'forwarded',
      'for=1.1.1.1',
    ]
    assert.deepEqual(forwarded('x-forwarded', '10.0.0.2', said, ['10.0.0.0/8']), [
      'x-forwarded-for',
      '1.1.1.1, 10.0.0.2',
      'x-forwarded-proto',
      'http',
      'x-forwarded-host',
      'a.example',
    ])
    assert.deepEqual(forwarded('forwarded', 'fd00::2', said, ['fd00::/8']), [
      'forwarded',
      'for=1.1.1.1, for="[fd00::2]";host="shop.example:8443";proto=https',
    ])
  })

  it('tell the port only where it is the one that the client came to', () => {
    const portAfter = (...said: string[]): string | undefined => {
      const fields = forwarded('x-forwarded', '10.0.0.2', said, ['10.0.0.0/8'])
      const at = fields.indexOf('x-forwarded-port')
      return at < 0 ? undefined : fields[at + 1]
    }
    assert.equal(portAfter(), '8443')
    assert.equal(portAfter('x-forwarded-for', '1.1.1.1'), '8443')
    assert.equal(portAfter('x-forwarded-proto', 'https'), undefined)
    assert.equal(portAfter('x-forwarded-host', 'a.example:9443'), undefined)
    assert.equal(portAfter('x-forwarded-proto', 'https', 'x-forwarded-port', '443'), '443')
    // Those who are not believed tell nothing.
    const lie = ['x-forwarded-proto', 'http']
    assert.equal(forwarded('x-forwarded', '203.0.113.9', lie, ['10.0.0.0/8']).at(-1), '8443')
  })

  it('are left out when not wanted', () => {
    assert.deepEqual(forwarded('none', '10.0.0.2', ['forwarded', 'for=1.1.1.1'], ['10.0.0.0/8']), [])
  })
})

describe('request ids', () => {
  it('are kept when fit for logs', () => {
    assert.equal(acceptedRequestId('a1b2-c3:d4/e5+f6=='), 'a1b2-c3:d4/e5+f6==')
    for (const unfit of [undefined, '', 'a b', 'x'.repeat(129), 'é', '"', '\\'])
      assert.equal(acceptedRequestId(unfit), undefined)
  })

  it('are 32 hexadecimal digits when made here', () => {
    const prng = new Prng('ids')
    const random = { ...prng, uint32: () => prng.uint32() } as unknown as Parameters<typeof newRequestId>[0]
    const ids = new Set(Array.from({ length: 100 }, () => newRequestId(random)))
    assert.equal(ids.size, 100)
    for (const id of ids) assert.match(id, /^[0-9a-f]{32}$/)
  })
})
