import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { type LogFields, type Logger, silentLogger } from '../index.ts'
import { NodeAppendFiles } from './append-file.ts'

test('a full disk is told once, with what to do, and what is lost is counted', async () => {
  const told: [string, LogFields | undefined][] = []
  const logger: Logger = {
    debug: () => {},
    info: () => {},
    warn: () => {},
    error: (message, fields) => told.push([message, fields]),
    with: () => logger,
  }
  const file = await new NodeAppendFiles(logger).open('/dev/full')
  file.append(Buffer.from('first line\n'))
  file.append(Buffer.from('second line\n'))
  await file.close()
  const message =
    'cannot write: what is appended is dropped until it works again; free space there, or name another file'
  assert.deepEqual(told, [[message, { path: '/dev/full', error: 'ENOSPC' }]])
  assert.equal(file.droppedBytes, 23)
})

test('close writes what waits behind the write under way', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'synod-append-'))
  const path = join(folder, 'log')
  const file = await new NodeAppendFiles(silentLogger).open(path)
  for (let i = 0; i < 3; i++) file.append(Buffer.from(`line ${i}\n`))
  await file.close()
  assert.equal(readFileSync(path, 'utf8'), 'line 0\nline 1\nline 2\n')
  assert.equal(file.droppedBytes, 0)
  rmSync(folder, { recursive: true })
})
