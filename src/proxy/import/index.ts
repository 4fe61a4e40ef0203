export { formatNotes, type ImportNote } from './carried.ts'
export { type ImportOptions, type ImportResult, importNginx } from './import-nginx.ts'
export type { ImportFiles } from './nginx-files.ts'
export type { SyntaxProblem } from './nginx-syntax.ts'
