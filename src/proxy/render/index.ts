export { renderHaproxy } from './haproxy.ts'
export { renderNginx } from './nginx.ts'
export type { Rendered, RenderInput } from './rendering.ts'
