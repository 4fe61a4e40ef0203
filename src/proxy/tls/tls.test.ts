import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { createNodeRuntime } from '../../runtime/node/index.ts'
import type { TlsTerminationConfig } from '../config/index.ts'
import { CertificateNames, readTlsFiles } from './index.ts'

const folder = mkdtempSync(join(tmpdir(), 'synod-proxy-tls-'))
after(() => rmSync(folder, { recursive: true }))
const { disk } = createNodeRuntime({ logLevel: 'error' })

function make(name: string, alternatives: string | undefined): { readonly certFile: string; readonly keyFile: string } {
  const certFile = join(folder, `${name}.pem`)
  const keyFile = join(folder, `${name}.key`)
  const kind = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2']
  const names = alternatives === undefined ? [] : ['-addext', `subjectAltName=${alternatives}`]
  const files = ['-keyout', keyFile, '-out', certFile, '-subj', `/CN=${name}.Example`, ...names]
  execFileSync('openssl', ['req', '-x509', ...kind, ...files], { stdio: 'pipe' })
  return { certFile, keyFile }
}

const shop = make('shop', 'DNS:Shop.example,DNS:*.shop.example,IP:127.0.0.1')
const plain = make('plain', undefined)

function config(changes: Partial<TlsTerminationConfig>): TlsTerminationConfig {
  return { certificates: [shop], minVersion: 'TLSv1.2', clientCaFile: undefined, clientCertificate: 'none', ...changes }
}

test('names come from the alternatives, and from the common name where there are none', async () => {
  const { certificates } = await readTlsFiles(config({ certificates: [shop, plain] }), disk)
  assert.deepEqual(certificates[0]!.names, ['shop.example', '*.shop.example'])
  assert.deepEqual(certificates[1]!.names, ['plain.example'])
})

test('a certificate is chosen by name: exact, wildcard for one label, else the first', () => {
  const names = new CertificateNames([
    ['first.example'],
    ['*.shop.example', 'a.b.shop.example'],
    ['x.shop.example', 'first.example'],
  ])
  const expected = {
    'first.example': 0,
    'FIRST.example': 0,
    'y.shop.example': 1,
    'x.shop.example': 2,
    'a.b.shop.example': 1,
  }
  for (const [name, index] of Object.entries(expected)) assert.equal(names.choose(name), index, name)
  for (const name of ['', 'shop.example', 'c.d.shop.example', '.shop.example'])
    assert.equal(names.choose(name), 0, name)
})

test('files that cannot be used are named, with what to do', async () => {
  const junk = join(folder, 'junk.pem')
  writeFileSync(junk, 'no certificate')
  for (const [changes, message] of [
    [{ certificates: [{ certFile: join(folder, 'none.pem'), keyFile: shop.keyFile }] }, /none\.pem \(NOT_FOUND\)/],
    [{ certificates: [{ certFile: junk, keyFile: shop.keyFile }] }, /junk\.pem holds no PEM certificate/],
    [{ certificates: [{ certFile: shop.certFile, keyFile: junk }] }, /junk\.pem holds no usable PEM private key/],
    [
      { certificates: [{ certFile: shop.certFile, keyFile: plain.keyFile }] },
      /plain\.key is not the key of .*shop\.pem/,
    ],
    [{ clientCaFile: junk }, /junk\.pem holds no PEM certificate of an authority/],
  ] as const) {
    await assert.rejects(readTlsFiles(config(changes), disk), { name: 'CertificateError', message })
  }
})

test('the fingerprint tells a changed file', async () => {
  const before = await readTlsFiles(config({}), disk)
  assert.equal((await readTlsFiles(config({}), disk)).fingerprint, before.fingerprint)
  assert.notEqual((await readTlsFiles(config({ certificates: [plain] }), disk)).fingerprint, before.fingerprint)
})
