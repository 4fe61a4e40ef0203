/**
 * Who may come in: addresses, passwords, subrequests that decide. Nothing of it can be carried over, and what it kept out must
 * not get in: requests get 403 until somebody has decided otherwise.
 */
import type { Directive } from './nginx-syntax.ts'
import type { Scope } from './scope.ts'

/** Directives that let in those whom something else knows. */
const checks: Readonly<Record<string, string>> = {
  auth_basic: 'passwords are not checked here',
  auth_jwt: 'tokens are not checked here',
  auth_digest: 'passwords are not checked here',
  auth_request: 'no other service is asked first here',
  access_by_lua: 'Lua is not run here',
  access_by_lua_block: 'Lua is not run here',
  access_by_lua_file: 'Lua is not run here',
  auth_pam: 'passwords are not checked here',
  auth_ldap: 'passwords are not checked here',
  js_access: 'no script is run here',
}

const cure =
  'requests get 403. Let the service check, or ask for client certificates (clientCa), and delete the route with the 403'

export interface Guard {
  /** Told already; the route that answers 403 stands for it. */
  readonly by: Directive
}

/** What guards the requests of this block, told once; undefined when nothing does. */
export function guardOf(scope: Scope): Guard | undefined {
  for (const name of ['auth_request_set', 'auth_basic_user_file', 'satisfy']) scope.all(name)
  const found = Object.entries(checks).flatMap(([name, why]) => {
    const check = scope.one(name)
    if (check === undefined || check.args[0] === 'off') return []
    scope.notes.tell(check, `${why}: ${cure}`)
    return [{ by: check }]
  })
  return [...found, guardByAddress(scope), guardByMethod(scope)].find((guard) => guard !== undefined)
}

/** `allow` and `deny` are inherited together: by a block that has none of both. */
function guardByAddress(scope: Scope): Guard | undefined {
  let at: Scope | undefined = scope
  while (at !== undefined && !at.directives.some(({ name }) => name === 'allow' || name === 'deny')) at = at.outer
  const rules = at?.directives.filter(({ name }) => name === 'allow' || name === 'deny') ?? []
  for (const rule of rules) scope.notes.take(rule)
  const last = rules.find(({ args }) => args[0] === 'all')
  if (last?.name === 'deny') {
    if (rules[0] !== last) scope.notes.tell(last, `addresses are not checked here, so nobody gets in: ${cure}`)
    return { by: last }
  }
  for (const { name, args } of rules) {
    if (name === 'deny')
      scope.notes.tell(
        rules.find((each) => each.args === args)!,
        'addresses are not checked here: this one gets in. Keep it out before the proxy',
      )
  }
  return undefined
}

/** `limit_except GET { deny all; }`. */
function guardByMethod(scope: Scope): Guard | undefined {
  const limit = scope.own('limit_except')[0]
  if (limit === undefined) return undefined
  scope.notes.tell(limit, `is not carried over: ${cure}, or give it the methods that it is for (method: [POST])`)
  return { by: limit }
}
