// A node that is told to join, and finds nobody who knows it, asks for a while and then says what to do: it must neither
// end in silence nor wait for ever.
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, it } from 'node:test'
import { run } from './etcdctl.ts'
import { freePorts, nodeCommand } from './layout.ts'

describe('a node that nobody has added', () => {
  const folder = mkdtempSync(join(tmpdir(), 'synod-joining-'))
  after(() => rmSync(folder, { recursive: true, force: true }))

  it('says that no member answers, and ends with status 1', { timeout: 60_000 }, async () => {
    const [client, peer, absent] = await freePorts(3)
    const settings = {
      '--name': 'n4',
      '--data-dir': join(folder, 'n4'),
      '--listen-client-urls': `http://127.0.0.1:${client}`,
      '--advertise-client-urls': `http://127.0.0.1:${client}`,
      '--listen-peer-urls': `http://127.0.0.1:${peer}`,
      '--initial-advertise-peer-urls': `http://127.0.0.1:${peer}`,
      '--initial-cluster': `n1=http://127.0.0.1:${absent},n4=http://127.0.0.1:${peer}`,
      '--initial-cluster-state': 'existing',
    }
    const [program, ...args] = [...nodeCommand(), ...Object.entries(settings).flat()]
    const { code, stderr } = await run(program!, args)
    assert.match(stderr, /no member of --initial-cluster answers/)
    assert.equal(code, 1)
  })
})
