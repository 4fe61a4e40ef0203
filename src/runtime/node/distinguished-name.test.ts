import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { X509Certificate } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { distinguishedName } from './distinguished-name.ts'

const folder = mkdtempSync(join(tmpdir(), 'synod-name-'))
after(() => rmSync(folder, { recursive: true }))

test('names are written as openssl writes them by RFC 2253', () => {
  for (const [i, subject] of [
    '/CN=alice',
    '/C=DE/O=Müller, Sons; "Co" <x>/CN=alice #1 =',
    '/O=a\\\\b/CN=x \\+ y=z',
    '/DC=example/DC=shop/OU= leading/CN=#sharp',
    '/O=two\nCN=lines/CN=real',
    '/O=one+OU=two/CN=三',
  ].entries()) {
    const file = join(folder, `${i}.pem`)
    const kind = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2', '-utf8']
    const args = ['-multivalue-rdn', '-keyout', join(folder, 'key.pem'), '-out', file, '-subj', subject]
    execFileSync('openssl', ['req', '-x509', ...kind, ...args], { stdio: 'pipe' })
    const theirs = execFileSync('openssl', ['x509', '-in', file, '-noout', '-subject', '-nameopt', 'RFC2253'])
    const ours = distinguishedName(new X509Certificate(readFileSync(file)).subject)
    assert.equal(
      ours,
      theirs
        .toString()
        .replace(/^subject=/, '')
        .replace(/\n$/, ''),
    )
    assert.match(ours, /^[\x20-\x7e]+$/)
  }
})
