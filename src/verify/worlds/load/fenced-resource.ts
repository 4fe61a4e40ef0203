import type { Recorder } from '../recorder.ts'

/** Something that a lock protects and that refuses a token lower than one it has seen: the last line of defence. */
export class FencedResource {
  private readonly name: string
  private readonly recorder: Recorder
  private highest = 0
  private sequence = 0

  constructor(name: string, recorder: Recorder) {
    this.name = name
    this.recorder = recorder
  }

  write(token: number): boolean {
    const accepted = token >= this.highest
    if (accepted) this.highest = token
    this.recorder.add({ type: 'fence', resource: this.name, sequence: this.sequence++, token, accepted })
    this.recorder.count(accepted ? 'fenced write accepted' : 'fenced write refused')
    return accepted
  }
}
