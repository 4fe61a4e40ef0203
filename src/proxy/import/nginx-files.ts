/** `include`: reads the files of a configuration, wildcards and all, into one tree. */
import { dirname, isAbsolute, join } from 'node:path'
import { type Directive, isSyntaxProblem, parseNginx, type SyntaxProblem } from './nginx-syntax.ts'

/** The files that an import may read. Both throw with a message when they cannot. */
export interface ImportFiles {
  read(path: string): string
  /** Names in a folder. */
  list(folder: string): readonly string[]
}

const filesMax = 256
const includeDepthMax = 16

export interface LoadedNginx {
  readonly directives: readonly Directive[]
  readonly problems: readonly SyntaxProblem[]
  /** Includes that were left out since their file cannot be read. */
  readonly missing: readonly Directive[]
}

/** Files that come with nginx and say nothing about routes: what they hold is not needed here. */
const shipped = /(^|\/)(mime\.types|(fastcgi|uwsgi|scgi)_params|fastcgi\.conf|koi-utf|koi-win|win-utf)$/

/** Reads `file` and what it includes. Relative includes are meant from the folder of `file`, nginx's prefix. */
export function loadNginx(file: string, files: ImportFiles, skipMissing: boolean): LoadedNginx {
  const loader = new Loader(dirname(file), files, skipMissing)
  return { directives: loader.load(file, 0, { file, line: 1 }), problems: loader.problems, missing: loader.missing }
}

class Loader {
  readonly problems: SyntaxProblem[] = []
  readonly missing: Directive[] = []
  private readonly prefix: string
  private readonly files: ImportFiles
  private readonly skipMissing: boolean
  private count = 0

  constructor(prefix: string, files: ImportFiles, skipMissing: boolean) {
    this.prefix = prefix
    this.files = files
    this.skipMissing = skipMissing
  }

  load(
    file: string,
    depth: number,
    from: Directive | { readonly file: string; readonly line: number },
  ): readonly Directive[] {
    if (++this.count > filesMax || depth > includeDepthMax) {
      if (this.count === filesMax + 1 || depth > includeDepthMax)
        this.problems.push({
          file: from.file,
          line: from.line,
          message: `includes more than ${filesMax} files, or deeper than ${includeDepthMax}`,
        })
      return []
    }
    let text: string
    try {
      text = this.files.read(file)
    } catch (error) {
      this.unreadable(file, from, error as Error)
      return []
    }
    const parsed = parseNginx(text, file)
    if (!isSyntaxProblem(parsed)) return this.expand(parsed, depth)
    this.problems.push(parsed)
    return []
  }

  private unreadable(
    file: string,
    from: Directive | { readonly file: string; readonly line: number },
    error: Error,
  ): void {
    const at = { file: from.file, line: from.line }
    if (!('name' in from)) this.problems.push({ ...at, message: `cannot read ${file}: ${error.message}` })
    else if (shipped.test(file)) return
    else if (this.skipMissing) this.missing.push(from)
    else {
      const cure = 'put it there, or leave out what cannot be read with --skip-missing'
      this.problems.push({ ...at, message: `cannot read ${file}: ${error.message}; ${cure}` })
    }
  }

  private expand(directives: readonly Directive[], depth: number): readonly Directive[] {
    return directives.flatMap((each) => {
      if (each.name === 'include' && each.block === undefined && each.args[0] !== undefined)
        return this.included(each.args[0], each).flatMap((file) => this.load(file, depth + 1, each))
      return [each.block === undefined ? each : { ...each, block: this.expand(each.block, depth) }]
    })
  }

  private included(pattern: string, from: Directive): readonly string[] {
    const path = isAbsolute(pattern) ? pattern : join(this.prefix, pattern)
    if (!/[*?[]/.test(path)) return [path]
    let found = [path.startsWith('/') ? '/' : '.']
    for (const part of path.split('/').filter((each) => each !== '' && each !== '.')) {
      found = found.flatMap((folder) => this.matching(folder, part)).slice(0, filesMax + 1)
    }
    if (found.length > filesMax)
      this.problems.push({ file: from.file, line: from.line, message: `includes more than ${filesMax} files` })
    return found.slice(0, filesMax)
  }

  private matching(folder: string, part: string): readonly string[] {
    if (!/[*?[]/.test(part)) return [join(folder, part)]
    const pattern = globPattern(part)
    try {
      return [...this.files.list(folder)]
        .filter((name) => pattern.test(name))
        .sort()
        .map((name) => join(folder, name))
    } catch {
      return []
    }
  }
}

/** glob(7) of one part of a path. */
function globPattern(part: string): RegExp {
  const source = part.replace(
    /\*+|\?|\[(!?)([^\]]+)\]|[\s\S]/g,
    (found, not: string | undefined, set: string | undefined) => {
      if (found.startsWith('*')) return '[^/]*'
      if (found === '?') return '[^/]'
      if (set !== undefined) return `[${not === '!' ? '^' : ''}${set.replace(/[\\\]^]/g, '\\$&')}]`
      return found.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&')
    },
  )
  try {
    return new RegExp(`^(?!\\.)${source}$`)
  } catch {
    return /^$/
  }
}
