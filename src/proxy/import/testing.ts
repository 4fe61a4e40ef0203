/** The reader of nginx's syntax, for tests of what is written in it. */
export { parseNginx } from './nginx-syntax.ts'
