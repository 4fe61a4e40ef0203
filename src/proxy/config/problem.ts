/** Something wrong with a configuration file, and where. */
export interface Problem {
  /** From 1. */
  readonly line: number
  /** From 1, in UTF-16 units. */
  readonly column: number
  /** Such as `listeners[0].routes[2].to`; empty for the file as a whole. */
  readonly path: string
  /** What is wrong, and what to write instead. */
  readonly message: string
}

/** `file:line:column path: message`, as compilers write it, so that editors can jump there. */
export function formatProblem(file: string, problem: Problem): string {
  const path = problem.path === '' ? '' : `${problem.path}: `
  return `${file}:${problem.line}:${problem.column} ${path}${problem.message}`
}

/** Where a value stands in the file: keys and indexes from the root. */
export type Path = readonly (string | number)[]

/** A path as people read it. */
export function formatPath(path: Path): string {
  let text = ''
  for (const part of path) {
    if (typeof part === 'number') text += `[${part}]`
    else if (/^[A-Za-z_][\w-]*$/.test(part)) text += text === '' ? part : `.${part}`
    else text += `[${JSON.stringify(part.length > 60 ? `${part.slice(0, 60)}…` : part)}]`
  }
  return text
}

/** By place in the file. */
export function problemOrder(a: Problem, b: Problem): number {
  return a.line - b.line || a.column - b.column
}
