/** Lets programs of this clone say `import … from 'synod'`, as those say that installed it: `node --import ./scripts/resolve-synod.ts`. */
import { registerHooks } from 'node:module'
import { packageSources } from './package-sources.ts'

registerHooks({
  resolve: (specifier, context, next) => next(packageSources.get(specifier) ?? specifier, context),
})
