/** A resource that asks each writer for its fencing token, and refuses one that is lower than it has seen. */
import type { Recorder } from '../recorder.ts'

export class FencedResource {
  private readonly name: string
  private readonly recorder: Recorder
  private highestToken = 0
  private sequence = 0

  constructor(name: string, recorder: Recorder) {
    this.name = name
    this.recorder = recorder
  }

  /** Returns whether the write was taken. */
  write(token: number): boolean {
    const accepted = token >= this.highestToken
    if (accepted) this.highestToken = token
    this.recorder.add({ type: 'fence', resource: this.name, sequence: this.sequence++, token, accepted })
    return accepted
  }
}
