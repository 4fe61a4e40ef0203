/** What could not be carried over, and where it stands. */
import type { Directive } from './nginx-syntax.ts'

export interface ImportNote {
  readonly file: string
  readonly line: number
  /** The directive as written, shortened. */
  readonly directive: string
  /** What became of it, and what to do. */
  readonly why: string
}

/** Past so many notes the rest is only counted. */
const notesMax = 500

/** Collects notes; what is told twice of one directive is kept once. */
export class ImportNotes {
  readonly list: ImportNote[] = []
  private readonly seen = new Set<string>()
  private readonly known = new WeakSet<Directive>()

  /** The directive was understood: nothing is to be told of it. */
  take(directive: Directive): Directive {
    this.known.add(directive)
    return directive
  }

  isTaken(directive: Directive): boolean {
    return this.known.has(directive)
  }

  /** What belongs to no single directive. */
  add(note: ImportNote): void {
    if (this.list.length < notesMax) this.list.push(note)
  }

  tell(directive: Directive, why: string): void {
    this.known.add(directive)
    const key = `${directive.file}:${directive.line}:${directive.name}:${why}`
    if (this.seen.has(key) || this.list.length >= notesMax) return
    this.seen.add(key)
    const written = [directive.name, ...directive.args].join(' ').replace(/\p{Cc}/gu, ' ')
    const shown = written.length > 100 ? `${written.slice(0, 100)}…` : written
    this.list.push({ file: directive.file, line: directive.line, directive: shown, why })
  }
}

/** `file:line directive: why`. */
export function formatNote(note: ImportNote): string {
  return `${note.file}:${note.line} ${note.directive}: ${note.why}`
}
