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
  private readonly told = new WeakSet<Directive>()

  /** The directive was understood: nothing is to be told of it. */
  take(directive: Directive): Directive {
    this.known.add(directive)
    return directive
  }

  isTaken(directive: Directive): boolean {
    return this.known.has(directive)
  }

  /** Something was told of it. */
  isTold(directive: Directive): boolean {
    return this.told.has(directive)
  }

  /** What belongs to no single directive. */
  add(note: ImportNote): void {
    if (this.list.length < notesMax) this.list.push(note)
  }

  tell(directive: Directive, why: string): void {
    this.known.add(directive)
    this.told.add(directive)
    const key = `${directive.file}:${directive.line}:${directive.name}:${why}`
    if (this.seen.has(key) || this.list.length >= notesMax) return
    this.seen.add(key)
    const written = [directive.name, ...directive.args].join(' ').replace(/\p{Cc}/gu, ' ')
    const shown = written.length > 100 ? `${written.slice(0, 100)}…` : written
    this.list.push({ file: directive.file, line: directive.line, directive: shown, why })
  }
}

const linesShownMax = 8

/**
 * `file:line directive: why`, one for each kind of directive and reason; others alike are told by their lines. Files are told
 * from `folder` where they are in it.
 */
export function formatNotes(notes: readonly ImportNote[], folder: string): readonly string[] {
  const shownFile = (file: string): string => (file.startsWith(`${folder}/`) ? file.slice(folder.length + 1) : file)
  const groups = new Map<string, ImportNote[]>()
  for (const note of notes) {
    const key = `${note.directive.split(' ', 1)[0]} ${note.why}`
    const group = groups.get(key)
    if (group === undefined) groups.set(key, [note])
    else group.push(note)
  }
  return [...groups.values()].map(([first, ...more]) => {
    const { file, line, directive, why } = first!
    const places = more.map((each) => (each.file === file ? `${each.line}` : `${shownFile(each.file)}:${each.line}`))
    const others = [...new Set(places)].filter((place) => place !== `${line}`)
    const shown = others.slice(0, linesShownMax).join(', ') + (others.length > linesShownMax ? ', …' : '')
    return `${shownFile(file)}:${line} ${directive}: ${why}${others.length === 0 ? '' : ` (also ${shown})`}`
  })
}
