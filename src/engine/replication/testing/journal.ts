import { concatBytes, utf8Bytes } from '../../../base/index.ts'
import type { StateMachine, StateRestorer, StateSnapshot } from '../state-machine.ts'

/**
 * Remembers every command (up to its first space) in order: the least forgiving state machine. Its image has a line a
 * command and no other structure, so an image with a hole is another state rather than a damaged one.
 */
export class Journal implements StateMachine<number> {
  commands: string[] = []

  apply(command: Uint8Array): number {
    const text = Buffer.from(command).toString('utf8')
    this.commands.push(text.split(' ', 1)[0]!)
    return this.commands.length
  }

  snapshot(): StateSnapshot {
    const image = utf8Bytes(this.commands.map((command) => `${command}\n`).join(''))
    let offset = 0
    return {
      next: (chunkBytes) => {
        if (offset >= image.length) return undefined
        const chunk = image.slice(offset, offset + chunkBytes)
        offset += chunk.length
        return chunk
      },
      close() {},
    }
  }

  restore(): StateRestorer {
    const chunks: Uint8Array[] = []
    return {
      write: (chunk) => chunks.push(chunk.slice()),
      finish: () => {
        const text = Buffer.from(concatBytes(chunks)).toString('utf8')
        this.commands = text.split('\n').slice(0, -1)
      },
    }
  }
}
