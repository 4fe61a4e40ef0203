/** Keys and certificates that are made for one test run, by openssl. */
import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

export interface Credentials {
  readonly cert: Buffer
  readonly key: Buffer
}

/** A certificate for `names` (as `IP:127.0.0.1,DNS:localhost`), signed by itself. */
export function selfSigned(names: string): Credentials {
  const folder = mkdtempSync(join(tmpdir(), 'synod-rpc-tls-'))
  try {
    const cert = join(folder, 'cert.pem')
    const key = join(folder, 'key.pem')
    const subject = ['-subj', '/CN=synod-test', '-addext', `subjectAltName=${names}`]
    const kind = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2']
    execFileSync('openssl', ['req', '-x509', ...kind, '-keyout', key, '-out', cert, ...subject], { stdio: 'pipe' })
    return { cert: readFileSync(cert), key: readFileSync(key) }
  } finally {
    rmSync(folder, { recursive: true })
  }
}
